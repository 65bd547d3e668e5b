// Rules of Microsoft Sentinel, which has to be on the workspace. They ask the functions of queries.bicep, which have to
// be there first: Sentinel tries each query.

@description('Name of the workspace.')
param workspaceName string

var rules = loadJsonContent('../sentinel/rules.json')

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' existing = {
  name: workspaceName
}

resource analytics 'Microsoft.SecurityInsights/alertRules@2025-09-01' = [
  for rule in rules: {
    scope: workspace
    name: guid(workspace.id, 'airlock', rule.name)
    kind: 'Scheduled'
    properties: {
      displayName: rule.displayName
      description: rule.description
      severity: rule.severity
      enabled: true
      query: join(rule.query, '\n')
      queryFrequency: rule.queryFrequency
      queryPeriod: rule.queryPeriod
      triggerOperator: 'GreaterThan'
      triggerThreshold: 0
      suppressionEnabled: false
      suppressionDuration: 'PT5H'
      tactics: rule.tactics
      techniques: rule.techniques
      entityMappings: empty(rule.entityMappings) ? null : rule.entityMappings
      customDetails: rule.customDetails
      eventGroupingSettings: {
        aggregationKind: 'AlertPerResult'
      }
      // What is found once more belongs to the incident that there is.
      incidentConfiguration: {
        createIncident: true
        groupingConfiguration: {
          enabled: true
          reopenClosedIncident: false
          lookbackDuration: 'P1D'
          matchingMethod: empty(rule.entityMappings) ? 'AnyAlert' : 'AllEntities'
        }
      }
    }
  }
]
