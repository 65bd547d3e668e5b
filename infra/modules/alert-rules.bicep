// Alerts on the log: what somebody has to see to. They ask the functions of queries.bicep.

@description('Resource id of the workspace, which is in this resource group.')
param workspaceId string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Resource id of the action group that is told; empty if alerts are only shown.')
param actionGroupId string

var rules = loadJsonContent('../alerts/rules.json')
var roleIds = loadJsonContent('../builtin-roles.json')
var readerRoleId = roleIds['Log Analytics Reader']

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' existing = {
  name: last(split(workspaceId, '/'))
}

// Without an identity of its own a rule may see what the person who deployed it may, and goes blind when they leave.
resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-airlock-alert-rules'
  location: location
  tags: tags
}

resource reader 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: workspace
  name: guid(workspace.id, identity.id, readerRoleId)
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', readerRoleId)
  }
}

resource alertRules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for rule in rules: {
    name: 'alert-airlock-${rule.name}'
    location: location
    tags: tags
    kind: 'LogAlert'
    identity: {
      type: 'UserAssigned'
      userAssignedIdentities: {
        '${identity.id}': {}
      }
    }
    properties: {
      displayName: rule.displayName
      description: rule.description
      enabled: true
      severity: rule.severity
      evaluationFrequency: rule.evaluationFrequency
      windowSize: rule.windowSize
      autoMitigate: rule.autoMitigate
      scopes: [
        workspaceId
      ]
      // Functions that were saved a moment ago may not be known yet.
      skipQueryValidation: true
      criteria: {
        allOf: [
          {
            query: join(rule.query, '\n')
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            dimensions: rule.dimensions
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      actions: {
        actionGroups: empty(actionGroupId) ? [] : [actionGroupId]
      }
    }
    dependsOn: [
      reader
    ]
  }
]
