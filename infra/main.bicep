// Airlock in one subscription: `azd up`, or az deployment sub create.

targetScope = 'subscription'

@description('Name of the environment; part of the resource group\'s name.')
@minLength(1)
@maxLength(40)
param environmentName string

@description('Azure region of everything that has one.')
@metadata({
  azd: {
    type: 'location'
  }
})
param location string

@description('How events come in. private: into a queue by the topic\'s identity, and nothing is open to the public network. push: straight to the functions, which are open to Event Grid.')
@allowed([
  'private'
  'push'
])
param delivery string = 'private'

@description('App settings to set, whatever they are now: NAME=value;NAME=value. What is not named here stays as it is.')
param settings string = ''

@description('Client id of the app registration whose role Airlock.Operator lets people operate; empty if nobody may.')
param operatorAudience string = ''

@description('Mail addresses that alert rules tell, with commas.')
param alertAddresses string = ''

@description('System topic of this subscription\'s events that is there already; empty to make one.')
param systemTopicName string = ''

@description('Resource group of that topic.')
param systemTopicResourceGroup string = ''

@description('Whether Defender\'s alerts are relayed: true or false.')
@allowed([
  'true'
  'false'
])
param relayAlerts string = 'true'

@description('Whether Defender for AI services is switched on in this subscription, which costs: true or false.')
@allowed([
  'true'
  'false'
])
param defenderForAi string = 'false'

@description('Whether Microsoft Sentinel is on the workspace and gets its rules: true or false.')
@allowed([
  'true'
  'false'
])
param sentinel string = 'false'

@description('Whether the subscription\'s activity log goes into the workspace, to find what Airlock missed: true or false.')
@allowed([
  'true'
  'false'
])
param exportActivityLog string = 'true'

@description('How many days records can be queried at full speed.')
@minValue(4)
@maxValue(730)
param retentionInDays int = 90

@description('How many days records are kept in all.')
@minValue(4)
@maxValue(4383)
param totalRetentionInDays int = 2556

@description('How many days nobody can change an anchor of the log.')
@minValue(1)
param anchorDays int = 365

@description('Whether the anchors\' policy was locked since, which no deployment may touch then: true or false.')
@allowed([
  'true'
  'false'
])
param anchorsLocked string = 'false'

@description('Whether people may query the log from the public network, signed in: true or false.')
@allowed([
  'true'
  'false'
])
param queriesFromPublicNetwork string = 'true'

@description('Whether a lock keeps the log from being deleted: true or false.')
@allowed([
  'true'
  'false'
])
param lockLog string = 'false'

@description('How the storage account is copied. Not every region has zones.')
@allowed([
  'Standard_LRS'
  'Standard_ZRS'
  'Standard_GZRS'
])
param storageSku string = 'Standard_ZRS'

@description('Address range of the private network, /24 or larger.')
param addressPrefix string = '10.117.0.0/24'

@description('Resource id of a NAT gateway for what the app sends; empty for Azure\'s own way out.')
param natGatewayId string = ''

@description('Resource id of a route table for what the app sends; empty for none.')
param routeTableId string = ''

@description('Memory of an instance in MB.')
@allowed([
  512
  2048
  4096
])
param instanceMemory int = 2048

@description('Most instances at a time.')
@minValue(1)
@maxValue(1000)
param mostInstances int = 40

var token = uniqueString(subscription().id, environmentName, location)
var tags = {
  'azd-env-name': environmentName
}
var isPrivate = delivery == 'private'
// Names and ids that are known before anything is there: conditions and loops may use no others.
var storageName = 'stairlock${token}'
var siteName = 'func-airlock-${token}'
var alertsTopicName = 'evgt-airlock-${token}'
var hasOwnTopic = empty(systemTopicName)
var topicName = hasOwnTopic ? 'evgt-airlock-subscription-${token}' : systemTopicName
var groupName = 'rg-airlock-${environmentName}'
var topicGroup = hasOwnTopic ? groupName : systemTopicResourceGroup
var subscriptionId = subscription().subscriptionId
var storageId = resourceId(subscriptionId, groupName, 'Microsoft.Storage/storageAccounts', storageName)
var siteId = resourceId(subscriptionId, groupName, 'Microsoft.Web/sites', siteName)
var alertsTopicId = resourceId(subscriptionId, groupName, 'Microsoft.EventGrid/topics', alertsTopicName)
var topicId = resourceId(subscriptionId, topicGroup, 'Microsoft.EventGrid/systemTopics', topicName)
var names = loadJsonContent('generated/app.json')
var families = loadJsonContent('generated/events.json')
var addresses = filter(map(split(alertAddresses, ','), address => trim(address)), address => !empty(address))
// NAME=value;NAME=value as an object.
var pairs = filter(split(settings, ';'), pair => contains(pair, '='))
var explicit = toObject(
  pairs,
  pair => trim(substring(pair, 0, indexOf(pair, '='))),
  pair => trim(substring(pair, indexOf(pair, '=') + 1))
)
var storageZones = {
  blob: 'privatelink.blob.${environment().suffixes.storage}'
  queue: 'privatelink.queue.${environment().suffixes.storage}'
  table: 'privatelink.table.${environment().suffixes.storage}'
}
var siteZone = 'privatelink.azurewebsites.net'
var monitorZones = [
  'privatelink.monitor.azure.com'
  'privatelink.oms.opinsights.azure.com'
  'privatelink.ods.opinsights.azure.com'
  'privatelink.agentsvc.azure-automation.net'
]

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: groupName
  location: location
  tags: tags
}

module identity 'modules/identity.bicep' = {
  scope: group
  params: {
    token: token
    location: location
    tags: tags
  }
}

module log 'modules/log.bicep' = {
  scope: group
  params: {
    token: token
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    isPrivate: isPrivate
    queriesFromPublicNetwork: queriesFromPublicNetwork == 'true'
    retentionInDays: retentionInDays
    totalRetentionInDays: totalRetentionInDays
    lock: lockLog == 'true'
  }
}

module telemetry 'modules/telemetry.bicep' = {
  scope: group
  params: {
    token: token
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    isPrivate: isPrivate
    workspaceId: log.outputs.workspaceId
  }
}

module storage 'modules/storage.bicep' = {
  scope: group
  params: {
    name: storageName
    sku: storageSku
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    isPrivate: isPrivate
    anchorDays: anchorDays
    anchorsLocked: anchorsLocked == 'true'
    workspaceId: log.outputs.workspaceId
  }
}

module network 'modules/network.bicep' = if (isPrivate) {
  scope: group
  params: {
    token: token
    location: location
    tags: tags
    addressPrefix: addressPrefix
    natGatewayId: natGatewayId
    routeTableId: routeTableId
    zones: concat(map(items(storageZones), zone => zone.value), [siteZone], monitorZones)
  }
}

module storageEndpoints 'modules/private-endpoint.bicep' = [
  for zone in items(storageZones): if (isPrivate) {
    name: 'endpoint-${zone.key}'
    scope: group
    params: {
      name: 'pep-airlock-${zone.key}-${token}'
      location: location
      tags: tags
      subnetId: network!.outputs.endpointSubnetId
      targetId: storageId
      group: zone.key
      zones: [zone.value]
    }
    dependsOn: [
      storage
    ]
  }
]

module monitorScope 'modules/monitor-scope.bicep' = if (isPrivate) {
  scope: group
  params: {
    token: token
    tags: tags
    members: {
      workspace: log.outputs.workspaceId
      endpoint: log.outputs.endpointId
      insights: telemetry.outputs.id
    }
  }
}

module monitorEndpoint 'modules/private-endpoint.bicep' = if (isPrivate) {
  name: 'endpoint-monitor'
  scope: group
  params: {
    name: 'pep-airlock-monitor-${token}'
    location: location
    tags: tags
    subnetId: network!.outputs.endpointSubnetId
    targetId: monitorScope!.outputs.id
    group: 'azuremonitor'
    zones: concat(monitorZones, [storageZones.blob])
  }
}

module app 'modules/app.bicep' = {
  scope: group
  params: {
    name: siteName
    planName: 'plan-airlock-${token}'
    location: location
    tags: tags
    serviceName: 'airlock'
    identityId: identity.outputs.id
    packageContainer: storage.outputs.packageContainer
    isPrivate: isPrivate
    subnetId: isPrivate ? network!.outputs.appSubnetId : ''
    operatorAudience: operatorAudience
    instanceMemory: instanceMemory
    mostInstances: mostInstances
    workspaceId: log.outputs.workspaceId
  }
  // The app asks for its storage as soon as it is there.
  dependsOn: [
    storageEndpoints
  ]
}

module siteEndpoint 'modules/private-endpoint.bicep' = if (isPrivate) {
  name: 'endpoint-site'
  scope: group
  params: {
    name: 'pep-airlock-site-${token}'
    location: location
    tags: tags
    subnetId: network!.outputs.endpointSubnetId
    targetId: siteId
    group: 'sites'
    zones: [siteZone]
  }
  // One write to the app at a time.
  dependsOn: [
    appSettings
  ]
}

module alerts 'modules/alerts.bicep' = {
  scope: group
  params: {
    token: token
    topicName: alertsTopicName
    location: location
    tags: tags
    workspaceId: log.outputs.workspaceId
    relay: relayAlerts == 'true'
  }
}

module appSettings 'modules/settings.bicep' = {
  scope: group
  params: {
    siteName: siteName
    current: list('${siteId}/config/appsettings', '2024-11-01').properties
    defaults: {
      AIRLOCK_MODE: 'audit'
    }
    explicit: explicit
    system: {
      AzureWebJobsStorage__accountName: storageName
      AzureWebJobsStorage__credential: 'managedidentity'
      AzureWebJobsStorage__clientId: identity.outputs.clientId
      APPLICATIONINSIGHTS_CONNECTION_STRING: telemetry.outputs.connectionString
      APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identity.outputs.clientId};Authorization=AAD'
      AIRLOCK_CLIENT_ID: identity.outputs.clientId
      AIRLOCK_TENANT_ID: tenant().tenantId
      AIRLOCK_OPERATOR_AUDIENCE: operatorAudience
      AIRLOCK_ARM_ENDPOINT: environment().resourceManager
      AIRLOCK_ENTRA_ENDPOINT: environment().authentication.loginEndpoint
      AIRLOCK_LOGS_ENDPOINT: log.outputs.ingestion
      AIRLOCK_LOGS_RULE: log.outputs.ruleId
    }
    ownResources: [
      log.outputs.workspaceId
      identity.outputs.id
      alertsTopicId
      storageId
      siteId
    ]
  }
  dependsOn: [
    app
    storage
  ]
}

module roles 'modules/roles.bicep' = {
  params: {
    principalId: identity.outputs.principalId
    settings: list('${siteId}/config/appsettings', '2024-11-01').properties
  }
  dependsOn: [
    appSettings
  ]
}

module events 'modules/events.bicep' = {
  scope: resourceGroup(topicGroup)
  params: {
    topicName: topicName
    tags: tags
    isExisting: !hasOwnTopic
  }
  dependsOn: [
    group
  ]
}

module eventsAccess 'modules/delivery-access.bicep' = {
  name: 'access-events'
  scope: group
  params: {
    storageName: storageName
    principalId: events.outputs.principalId
  }
  dependsOn: [
    storage
  ]
}

module alertsAccess 'modules/delivery-access.bicep' = {
  name: 'access-alerts'
  scope: group
  params: {
    storageName: storageName
    principalId: alerts.outputs.topicPrincipalId
  }
  dependsOn: [
    storage
  ]
}

// How an event travels, said once for both ways.
var intoQueue = {
  deliveryWithResourceIdentity: {
    identity: {
      type: 'SystemAssigned'
    }
    destination: {
      endpointType: 'StorageQueue'
      properties: {
        resourceId: storageId
        queueName: names.signalsQueue
        // Never: what waits for an outage to end has to wait.
        queueMessageTimeToLiveInSeconds: -1
      }
    }
  }
}
var kept = {
  retryPolicy: {
    maxDeliveryAttempts: 30
    eventTimeToLiveInMinutes: 1440
  }
  deadLetterWithResourceIdentity: {
    identity: {
      type: 'SystemAssigned'
    }
    deadLetterDestination: {
      endpointType: 'StorageBlob'
      properties: {
        resourceId: storageId
        blobContainerName: names.deadLetters
      }
    }
  }
}
var changes = [
  for family in families: {
    name: 'airlock-${family.name}-${token}'
    properties: union(
      kept,
      {
        eventDeliverySchema: 'EventGridSchema'
        filter: family.filter
      },
      isPrivate ? intoQueue : {
        destination: {
          endpointType: 'AzureFunction'
          properties: {
            resourceId: '${siteId}/functions/on_resource_change'
            maxEventsPerBatch: 1
          }
        }
      }
    )
  }
]
var incidents = [
  {
    name: 'airlock-${token}'
    properties: union(
      kept,
      {
        eventDeliverySchema: 'CloudEventSchemaV1_0'
      },
      isPrivate ? intoQueue : {
        destination: {
          endpointType: 'AzureFunction'
          properties: {
            resourceId: '${siteId}/functions/on_defender_alert'
            maxEventsPerBatch: 1
          }
        }
      }
    )
  }
]

// Event Grid looks for the function before it takes a subscription, so with push the hook after the code makes them.
module changesDelivered 'modules/event-subscriptions.bicep' = if (isPrivate) {
  scope: resourceGroup(topicGroup)
  params: {
    topicName: topicName
    subscriptions: changes
  }
  dependsOn: [
    events
    eventsAccess
  ]
}

module alertsDelivered 'modules/alert-subscriptions.bicep' = if (isPrivate) {
  scope: group
  params: {
    topicName: alertsTopicName
    subscriptions: incidents
  }
  dependsOn: [
    alerts
    alertsAccess
  ]
}

module defender 'modules/defender.bicep' = if (defenderForAi == 'true') {}

module actionGroup 'modules/action-group.bicep' = if (!empty(addresses)) {
  scope: group
  params: {
    token: token
    tags: tags
    addresses: addresses
  }
}

module alertRules 'modules/alert-rules.bicep' = {
  scope: group
  params: {
    workspaceId: log.outputs.workspaceId
    location: location
    tags: tags
    actionGroupId: empty(addresses) ? '' : actionGroup!.outputs.id
  }
  dependsOn: [
    queries
  ]
}

module activityLog 'modules/activity-log.bicep' = if (exportActivityLog == 'true') {
  params: {
    workspaceId: log.outputs.workspaceId
    name: 'airlock-${token}'
  }
}

module queries 'modules/queries.bicep' = {
  scope: group
  params: {
    workspaceName: log.outputs.workspaceName
  }
}

module workbook 'modules/workbook.bicep' = {
  scope: group
  params: {
    workspaceId: log.outputs.workspaceId
    location: location
    tags: tags
  }
}

module sentinelRules 'modules/sentinel.bicep' = if (sentinel == 'true') {
  scope: group
  params: {
    workspaceName: log.outputs.workspaceName
  }
  dependsOn: [
    queries
  ]
}

@description('Resource group of everything.')
output AZURE_RESOURCE_GROUP string = group.name

@description('Name of the function app.')
output AIRLOCK_APP_NAME string = siteName

@description('Resource id of the function app.')
output AIRLOCK_APP_ID string = siteId

@description('Address of the function app, for `airlock approve` and its like.')
output AIRLOCK_APP string = app.outputs.address

@description('How events come in.')
output AIRLOCK_DELIVERY string = delivery

@description('Where `airlock leak` sends.')
output AIRLOCK_ALERTS_TOPIC string = alerts.outputs.topicEndpoint

@description('Workspace that `airlock log verify --workspace` asks.')
output AIRLOCK_WORKSPACE string = log.outputs.customerId

@description('Principal (object) id of the app\'s identity.')
output AIRLOCK_PRINCIPAL_ID string = identity.outputs.principalId

@description('Names of the role assignments that the settings call for.')
output AIRLOCK_ROLE_ASSIGNMENTS array = roles.outputs.assignmentNames

@description('Roles for writing that the settings call for, with commas; infra/rollout takes them.')
output AIRLOCK_WRITERS string = join(roles.outputs.writers, ',')

@description('Resource id of the storage account that other subscriptions send to; infra/rollout takes it.')
output AIRLOCK_STORAGE_ID string = storageId

@description('Resource id of the Logic App that relays alerts; infra/rollout takes it.')
output AIRLOCK_RELAY_ID string = alerts.outputs.workflowId

@description('Event subscriptions that the hook after the code has to make; empty with private delivery.')
output AIRLOCK_EVENT_SUBSCRIPTIONS array = isPrivate ? [] : concat(
  map(changes, each => {
    id: '${topicId}/eventSubscriptions/${each.name}'
    properties: each.properties
  }),
  map(incidents, each => {
    id: '${alertsTopicId}/eventSubscriptions/${each.name}'
    properties: each.properties
  })
)
