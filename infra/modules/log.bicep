// The remediation log: workspace, custom table, and the rule through which alone records come in.

@description('Ending of every name.')
param token string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Principal (object) id of the app\'s identity, which may add records and do nothing else.')
param principalId string

@description('Whether the public network is closed off for what comes in.')
param isPrivate bool

@description('Whether people may query the log from the public network, signed in.')
param queriesFromPublicNetwork bool

@description('How many days records can be queried at full speed.')
param retentionInDays int

@description('How many days records are kept in all.')
param totalRetentionInDays int

@description('Whether a lock keeps workspace and table from being deleted.')
param lock bool

var shape = loadJsonContent('../generated/log.json')
var roleIds = loadJsonContent('../builtin-roles.json')

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' = {
  name: 'log-airlock-${token}'
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: max(retentionInDays, 30)
    publicNetworkAccessForIngestion: isPrivate ? 'Disabled' : 'Enabled'
    publicNetworkAccessForQuery: queriesFromPublicNetwork ? 'Enabled' : 'Disabled'
    features: {
      disableLocalAuth: true
      enableLogAccessUsingOnlyResourcePermissions: true
    }
  }
}

resource table 'Microsoft.OperationalInsights/workspaces/tables@2025-02-01' = {
  parent: workspace
  name: shape.table
  properties: {
    plan: 'Analytics'
    retentionInDays: retentionInDays
    totalRetentionInDays: totalRetentionInDays
    schema: {
      name: shape.table
      columns: shape.columns
    }
  }
}

resource endpoint 'Microsoft.Insights/dataCollectionEndpoints@2023-03-11' = if (isPrivate) {
  name: 'dce-airlock-${token}'
  location: location
  tags: tags
  properties: {
    networkAcls: {
      publicNetworkAccess: 'Disabled'
    }
  }
}

resource rule 'Microsoft.Insights/dataCollectionRules@2023-03-11' = {
  name: isPrivate ? 'dcr-airlock-private-${token}' : 'dcr-airlock-${token}'
  location: location
  tags: tags
  // Direct rules have a public endpoint of their own.
  kind: isPrivate ? null : 'Direct'
  properties: {
    // The endpoint of a rule cannot be changed, so each way has a rule of its own name.
    dataCollectionEndpointId: isPrivate ? endpoint.id : null
    streamDeclarations: {
      '${shape.stream}': {
        columns: shape.streamColumns
      }
    }
    destinations: {
      logAnalytics: [
        {
          name: 'workspace'
          workspaceResourceId: workspace.id
        }
      ]
    }
    dataFlows: [
      {
        streams: [
          shape.stream
        ]
        destinations: [
          'workspace'
        ]
        transformKql: 'source'
        outputStream: shape.stream
      }
    ]
  }
  dependsOn: [
    table
  ]
}

resource sender 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: rule
  name: guid(rule.id, principalId, 'Monitoring Metrics Publisher')
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      roleIds['Monitoring Metrics Publisher']
    )
  }
}

// What the rule could not take, which nobody hears of otherwise.
resource ruleErrors 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: rule
  name: 'airlock'
  properties: {
    workspaceId: workspace.id
    logs: [
      {
        category: 'LogErrors'
        enabled: true
      }
    ]
  }
}

// Who asked the log what.
resource queriesLogged 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: workspace
  name: 'airlock'
  properties: {
    workspaceId: workspace.id
    logs: [
      {
        category: 'Audit'
        enabled: true
      }
    ]
  }
}

resource stays 'Microsoft.Authorization/locks@2020-05-01' = if (lock) {
  scope: workspace
  name: 'airlock-log'
  properties: {
    level: 'CanNotDelete'
    notes: 'The remediation log of Airlock is evidence.'
  }
}

@description('Resource id of the workspace.')
output workspaceId string = workspace.id

@description('Name of the workspace.')
output workspaceName string = workspace.name

@description('Customer id of the workspace, by which `airlock log verify --workspace` asks it.')
output customerId string = workspace.properties.customerId

@description('Where records are sent to.')
output ingestion string = isPrivate ? endpoint!.properties.logsIngestion.endpoint : rule.properties.endpoints.logsIngestion

@description('Immutable id of the data collection rule.')
output ruleId string = rule.properties.immutableId

@description('Resource id of the data collection endpoint; empty without one.')
output endpointId string = isPrivate ? endpoint.id : ''
