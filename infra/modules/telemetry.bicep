// Application Insights, told by Entra alone.

@description('Ending of every name.')
param token string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Principal (object) id of the app\'s identity.')
param principalId string

@description('Whether the public network is closed off for what comes in.')
param isPrivate bool

@description('Resource id of the workspace behind it.')
param workspaceId string

var roleIds = loadJsonContent('../builtin-roles.json')

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-airlock-${token}'
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspaceId
    DisableLocalAuth: true
    publicNetworkAccessForIngestion: isPrivate ? 'Disabled' : 'Enabled'
    publicNetworkAccessForQuery: 'Enabled'
  }
}

resource sender 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: insights
  name: guid(insights.id, principalId, 'Monitoring Metrics Publisher')
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      roleIds['Monitoring Metrics Publisher']
    )
  }
}

@description('Where telemetry is sent to. Not a secret: with local authentication off it opens nothing.')
output connectionString string = insights.properties.ConnectionString

@description('Resource id of the component.')
output id string = insights.id
