// The subscription's activity log in the workspace, which costs nothing there: the queries for what Airlock missed
// compare with it.

targetScope = 'subscription'

@description('Resource id of the workspace.')
param workspaceId string

@description('Name of the setting, of which a subscription has five at most.')
param name string

resource exported 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: name
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'Administrative'
        enabled: true
      }
      {
        category: 'Security'
        enabled: true
      }
    ]
  }
}
