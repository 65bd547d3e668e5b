// What the policy's identity may do beside the app: let a new topic deliver into the queue, and name the relay.

@description('Name of the app\'s storage account.')
param storageName string

@description('Principal (object) id of the policy\'s identity.')
param wirerPrincipalId string

@description('Ids of the built-in roles that it may give to others.')
param deliveryRoles array

var roleIds = loadJsonContent('../builtin-roles.json')
var administrator = roleIds['Role Based Access Control Administrator']
var write = 'Microsoft.Authorization/roleAssignments/write'
var delete = 'Microsoft.Authorization/roleAssignments/delete'
var attribute = 'Microsoft.Authorization/roleAssignments:RoleDefinitionId'
var givable = join(deliveryRoles, ', ')

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: storageName
}

// Role Based Access Control Administrator of this one account, for these two roles and no others.
resource mayGive 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: account
  name: guid(account.id, wirerPrincipalId, administrator)
  properties: {
    principalId: wirerPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', administrator)
    conditionVersion: '2.0'
    condition: '((!(ActionMatches{\'${write}\'})) OR (@Request[${attribute}] ForAnyOfAnyValues:GuidEquals {${givable}})) AND ((!(ActionMatches{\'${delete}\'})) OR (@Resource[${attribute}] ForAnyOfAnyValues:GuidEquals {${givable}}))'
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
