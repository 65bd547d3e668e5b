// The private link scope: records and telemetry go in through the private network alone.

@description('Ending of every name.')
param token string

@description('Tags of every resource.')
param tags object

@description('Resource ids of what is reached through the scope, by a short name.')
param members object

resource scope 'Microsoft.Insights/privateLinkScopes@2021-07-01-preview' = {
  name: 'ampls-airlock-${token}'
  location: 'global'
  tags: tags
  properties: {
    accessModeSettings: {
      // Open: other workspaces that this network speaks to are none of our business. Our own are closed by themselves.
      ingestionAccessMode: 'Open'
      queryAccessMode: 'Open'
    }
  }
}

// The scope takes one change at a time.
@batchSize(1)
resource scoped 'Microsoft.Insights/privateLinkScopes/scopedResources@2021-07-01-preview' = [
  for member in items(members): {
    parent: scope
    name: member.key
    properties: {
      linkedResourceId: member.value
    }
  }
]

@description('Resource id of the scope.')
output id string = scope.id
