// What the app may do in this subscription: read always, and write only what a setting lets it enforce.

targetScope = 'subscription'

@description('Principal (object) id of the app\'s identity.')
param principalId string

@description('The app\'s settings as they are now: a toggle in the portal brings its role with the next deployment.')
@secure()
param settings object

var roles = loadJsonContent('../generated/roles.json')
var everywhere = settings.?AIRLOCK_MODE ?? 'audit'
var writers = filter(roles, role => !empty(role.switches))
var readers = filter(roles, role => empty(role.switches))
// The setting for one type wins over that of the remediation, and that over the mode of all.
var enforced = filter(
  writers,
  role =>
    toLower(everywhere) != 'off' && !empty(filter(
      skip(role.switches, 1),
      name => toLower(settings[?name] ?? (settings[?role.switches[0]] ?? everywhere)) == 'enforce'
    ))
)

// Those that nobody needs are not even defined: Azure refuses a role for one action that it does not know.
var needed = concat(readers, enforced)

// Named by the subscription, since a tenant takes each name of a role once.
resource definitions 'Microsoft.Authorization/roleDefinitions@2022-04-01' = [
  for role in needed: {
    name: guid(subscription().id, 'airlock', role.name)
    properties: {
      roleName: 'Airlock ${role.name} (${subscription().subscriptionId})'
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
        subscription().id
      ]
    }
  }
]

resource assignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in needed: {
    name: guid(subscription().id, principalId, 'airlock', role.name)
    properties: {
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId(
        'Microsoft.Authorization/roleDefinitions',
        guid(subscription().id, 'airlock', role.name)
      )
    }
    dependsOn: [
      definitions
    ]
  }
]

@description('Ids of the role assignments that are wanted; the hook after provisioning takes others of ours away.')
output assignmentNames array = [
  for role in needed: guid(subscription().id, principalId, 'airlock', role.name)
]

@description('Names of the roles for writing that the settings call for; the rollout to other subscriptions takes them.')
output writers array = map(enforced, role => role.name)
