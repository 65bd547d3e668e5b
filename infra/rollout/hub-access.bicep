// What the policy's identity may do beside the app: let a new topic deliver into the queue and keep dead letters.

@description('The condition under which somebody may give and take that one role, and give it to identities alone.')
func onlyGives(role string) string =>
  '((!(ActionMatches{\'Microsoft.Authorization/roleAssignments/write\'})) OR (@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {${role}} AND @Request[Microsoft.Authorization/roleAssignments:PrincipalType] ForAnyOfAnyValues:StringEqualsIgnoreCase {\'ServicePrincipal\'})) AND ((!(ActionMatches{\'Microsoft.Authorization/roleAssignments/delete\'})) OR (@Resource[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {${role}}))'

@description('Name of the app\'s storage account.')
param storageName string

@description('Principal (object) id of the policy\'s identity.')
param wirerPrincipalId string

var roleIds = loadJsonContent('../builtin-roles.json')
var stores = loadJsonContent('../generated/app.json')
var administrator = subscriptionResourceId(
  'Microsoft.Authorization/roleDefinitions',
  roleIds['Role Based Access Control Administrator']
)
resource account 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: storageName
}

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2025-06-01' existing = {
  parent: account
  name: 'default'
}

resource queue 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-06-01' existing = {
  parent: queueService
  name: stores.signalsQueue
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-06-01' existing = {
  parent: account
  name: 'default'
}

resource deadLetters 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' existing = {
  parent: blobs
  name: stores.deadLetters
}

resource mayGiveSender 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: queue
  name: guid(queue.id, wirerPrincipalId, administrator)
  properties: {
    principalId: wirerPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: administrator
    conditionVersion: '2.0'
    condition: onlyGives(roleIds['Storage Queue Data Message Sender'])
  }
}

resource mayGiveKeeper 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: deadLetters
  name: guid(deadLetters.id, wirerPrincipalId, administrator)
  properties: {
    principalId: wirerPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: administrator
    conditionVersion: '2.0'
    condition: onlyGives(roleIds['Storage Blob Data Contributor'])
  }
}

resource hubRole 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(resourceGroup().id, 'airlock-hub')
  properties: {
    roleName: 'Airlock hub (${uniqueString(resourceGroup().id)})'
    description: 'Lets the policy of Airlock deploy role assignments beside the app, and name its relay.'
    type: 'CustomRole'
    permissions: [
      {
        actions: [
          'Microsoft.Resources/deployments/read'
          'Microsoft.Resources/deployments/write'
          'Microsoft.Resources/deployments/validate/action'
          'Microsoft.Resources/deployments/operations/read'
          'Microsoft.Resources/deployments/operationstatuses/read'
          'Microsoft.Storage/storageAccounts/read'
          'Microsoft.Storage/storageAccounts/queueServices/queues/read'
          'Microsoft.Storage/storageAccounts/queueServices/queues/write'
          'Microsoft.Storage/storageAccounts/blobServices/containers/read'
        ]
        notActions: []
        dataActions: []
        notDataActions: []
      }
    ]
    assignableScopes: [
      resourceGroup().id
    ]
  }
}

resource mayDeploy 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(resourceGroup().id, wirerPrincipalId, 'hub')
  properties: {
    principalId: wirerPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: hubRole.id
  }
}
