// What the app may do in all subscriptions below: read always, and write only what the deployer names.

targetScope = 'managementGroup'

@description('Principal (object) id of the app\'s identity.')
param principalId string

@description('Names of the roles for writing that it gets.')
param writers array

var roles = loadJsonContent('../generated/roles.json')
var given = filter(roles, role => empty(role.switches) || contains(writers, role.name))

resource definitions 'Microsoft.Authorization/roleDefinitions@2022-04-01' = [
  for role in given: {
    name: guid(managementGroup().id, 'airlock', role.name)
    properties: {
      roleName: 'Airlock ${role.name} (${managementGroup().name})'
      description: role.description
      type: 'CustomRole'
      permissions: [
        {
          actions: role.actions
          notActions: []
          dataActions: []
          notDataActions: []
        }
      ]
      assignableScopes: [
        managementGroup().id
      ]
    }
  }
]

resource assignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in given: {
    name: guid(managementGroup().id, principalId, 'airlock', role.name)
    properties: {
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: managementGroupResourceId(
        'Microsoft.Authorization/roleDefinitions',
        guid(managementGroup().id, 'airlock', role.name)
      )
    }
    dependsOn: [
      definitions
    ]
  }
]
