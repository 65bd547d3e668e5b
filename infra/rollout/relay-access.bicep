// What the policy's identity may do with the relay: name it to Defender.

@description('Name of the Logic App that relays alerts.')
param relayName string

@description('Principal (object) id of the policy\'s identity.')
param wirerPrincipalId string

resource relay 'Microsoft.Logic/workflows@2019-05-01' existing = {
  name: relayName
}

resource relayRole 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(resourceGroup().id, 'airlock-relay')
  properties: {
    roleName: 'Airlock relay (${uniqueString(resourceGroup().id)})'
    description: 'Lets the policy of Airlock tell Defender where alerts go.'
    type: 'CustomRole'
    permissions: [
      {
        actions: [
          'Microsoft.Logic/workflows/read'
          'Microsoft.Logic/workflows/triggers/read'
          'Microsoft.Logic/workflows/triggers/listCallbackUrl/action'
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

resource mayName 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: relay
  name: guid(resourceGroup().id, wirerPrincipalId, 'relay')
  properties: {
    principalId: wirerPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: relayRole.id
  }
}
