// What the identity of a topic may do with our storage: put events into the queue, and dead letters into blobs.

@description('Name of the storage account.')
param storageName string

@description('Principal (object) id of the topic\'s identity.')
param principalId string

var roleIds = loadJsonContent('../builtin-roles.json')
var needed = [
  roleIds['Storage Queue Data Message Sender']
  roleIds['Storage Blob Data Contributor']
]

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: storageName
}

resource access 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in needed: {
    scope: account
    name: guid(account.id, principalId, role)
    properties: {
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
    }
  }
]
