// Airlock for every subscription of a management group. One app, deployed by infra/main.bicep, hears of all of them:
// a policy wires each subscription to its queue as it appears.

targetScope = 'managementGroup'

@description('Azure region of the policy\'s identities and of what is wired.')
param location string

@description('AIRLOCK_STORAGE_ID of the deployed app: the account whose queue gets all events.')
param storageId string

@description('AIRLOCK_PRINCIPAL_ID of the deployed app: the identity that looks and fixes.')
param principalId string

@description('AIRLOCK_RELAY_ID of the deployed app: the Logic App that gets Defender\'s alerts; empty for no alerts.')
param relayId string = ''

@description('Roles for writing that the app gets in all of the subscriptions, by name, with commas; AIRLOCK_WRITERS of the deployed app tells which its settings call for. Empty: it only reads.')
param writers string = ''

@description('When a subscription is wired. subscription: all of them. first-ai-resource: once there is something to judge.')
@allowed([
  'subscription'
  'first-ai-resource'
])
param wire string = 'subscription'

@description('Subscriptions and management groups below this one that stay out, by resource id. The app\'s own subscription is wired by its own deployment and stays out anyway.')
param excluded array = []

var names = loadJsonContent('../generated/app.json')
var families = loadJsonContent('../generated/events.json')
var alertKinds = loadJsonContent('../generated/alerts.json')
var roleIds = loadJsonContent('../builtin-roles.json')
var hubSubscription = split(storageId, '/')[2]
var hubGroup = split(storageId, '/')[4]
var scope = managementGroup().id
var groupName = 'rg-airlock-events'
var topicName = 'airlock-events'
// What an upgrade changes about the wiring changes this, and the policy wires anew.
var version = uniqueString(string(families), string(alertKinds), string(loadJsonContent('wiring.json')))
// What a topic's identity gets: to put events into the queue and dead letters into their container, and no more.
var grants = [
  {
    role: roleIds['Storage Queue Data Message Sender']
    scope: '${storageId}/queueServices/default/queues/${names.signalsQueue}'
  }
  {
    role: roleIds['Storage Blob Data Contributor']
    scope: '${storageId}/blobServices/default/containers/${names.deadLetters}'
  }
]
var onSubscriptions = {
  field: 'type'
  equals: 'Microsoft.Resources/subscriptions'
}
var onAiResources = {
  field: 'type'
  in: names.aiTypes
}
var wirerName = guid(scope, 'airlock-wirer')

// What the policy's identity does in each subscription.
resource wirer 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: wirerName
  properties: {
    roleName: 'Airlock wirer (${managementGroup().name})'
    description: 'Lets the policy of Airlock wire subscriptions to its queue.'
    type: 'CustomRole'
    permissions: [
      {
        actions: [
          'Microsoft.EventGrid/register/action'
          'Microsoft.EventGrid/systemTopics/read'
          'Microsoft.EventGrid/systemTopics/write'
          'Microsoft.EventGrid/systemTopics/eventSubscriptions/read'
          'Microsoft.EventGrid/systemTopics/eventSubscriptions/write'
          'Microsoft.EventGrid/eventSubscriptions/read'
          'Microsoft.EventGrid/eventSubscriptions/write'
          'Microsoft.Resources/deployments/read'
          'Microsoft.Resources/deployments/write'
          'Microsoft.Resources/deployments/validate/action'
          'Microsoft.Resources/deployments/operations/read'
          'Microsoft.Resources/deployments/operationstatuses/read'
          'Microsoft.Resources/subscriptions/read'
          'Microsoft.Resources/subscriptions/resourceGroups/read'
          'Microsoft.Resources/subscriptions/resourceGroups/write'
          'Microsoft.Security/register/action'
          'Microsoft.Security/automations/read'
          'Microsoft.Security/automations/write'
        ]
        notActions: []
        dataActions: []
        notDataActions: []
      }
    ]
    assignableScopes: [
      scope
    ]
  }
}

resource definition 'Microsoft.Authorization/policyDefinitions@2025-03-01' = {
  name: 'airlock-wire-${wire}'
  properties: {
    displayName: 'Airlock hears of changes and alerts of AI resources (${wire})'
    description: 'Events of the subscription go into the queue of the Airlock app, and Defender\'s alerts to its relay.'
    policyType: 'Custom'
    mode: 'All'
    metadata: {
      category: 'Security Center'
      version: '1.0.0'
    }
    policyRule: {
      if: wire == 'subscription' ? onSubscriptions : onAiResources
      then: {
        effect: 'deployIfNotExists'
        details: {
          type: 'Microsoft.EventGrid/systemTopics'
          name: topicName
          existenceScope: 'resourceGroup'
          resourceGroupName: groupName
          deploymentScope: 'subscription'
          evaluationDelay: 'AfterProvisioning'
          roleDefinitionIds: [
            wirer.id
          ]
          existenceCondition: {
            field: 'tags[\'airlock-wiring\']'
            equals: version
          }
          deployment: {
            location: location
            properties: {
              mode: 'incremental'
              template: loadJsonContent('wiring.json')
              parameters: {
                groupName: {
                  value: groupName
                }
                topicName: {
                  value: topicName
                }
                location: {
                  value: location
                }
                version: {
                  value: version
                }
                families: {
                  value: families
                }
                alertKinds: {
                  value: alertKinds
                }
                storageId: {
                  value: storageId
                }
                queueName: {
                  value: names.signalsQueue
                }
                deadLetters: {
                  value: names.deadLetters
                }
                grants: {
                  value: grants
                }
                relayId: {
                  value: relayId
                }
                relayTrigger: {
                  value: loadJsonContent('../names.json').relayTrigger
                }
              }
            }
          }
        }
      }
    }
  }
}

resource assignment 'Microsoft.Authorization/policyAssignments@2025-03-01' = {
  name: 'airlock-wiring'
  location: location
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    displayName: 'Airlock hears of changes and alerts of AI resources'
    policyDefinitionId: definition.id
    enforcementMode: 'Default'
    notScopes: union(excluded, [
      '/subscriptions/${hubSubscription}'
    ])
    nonComplianceMessages: [
      {
        message: 'Airlock does not hear of this subscription. A remediation task (infra/rollout/remediate.bicep) wires it; if it fails, the subscription may have a system topic for its events already.'
      }
    ]
  }
}

resource mayWire 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(scope, 'airlock-wiring', 'wirer')
  properties: {
    principalId: assignment.identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: wirer.id
  }
}

module hub 'hub-access.bicep' = {
  scope: resourceGroup(hubSubscription, hubGroup)
  params: {
    storageName: last(split(storageId, '/'))
    wirerPrincipalId: assignment.identity.principalId
  }
}

module relay 'relay-access.bicep' = if (!empty(relayId)) {
  scope: resourceGroup(hubSubscription, hubGroup)
  params: {
    relayName: last(split(relayId, '/'))
    wirerPrincipalId: assignment.identity.principalId
  }
}

module roles 'roles.bicep' = {
  params: {
    principalId: principalId
    writers: filter(map(split(writers, ','), name => trim(name)), name => !empty(name))
  }
}

@description('Resource id of the policy assignment; remediate.bicep takes it.')
output assignmentId string = assignment.id
