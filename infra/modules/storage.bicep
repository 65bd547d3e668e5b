// The one storage account: the host's, the queue of signals, the ledger, dead letters and anchors. No key opens it.

@description('Name of the storage account: 3 to 24 lower-case letters and digits.')
param name string

@description('How the account is copied.')
param sku string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Principal (object) id of the app\'s identity.')
param principalId string

@description('Whether the public network is closed off.')
param isPrivate bool

@description('How many days nobody can change an anchor of the log, the deployer included.')
param anchorDays int

@description('Whether the policy of the anchors was locked: nobody may write it then.')
param anchorsLocked bool

@description('Resource id of the workspace that gets the account\'s own logs.')
param workspaceId string

var stores = loadJsonContent('../generated/app.json')
var packages = 'app-package'
var roleIds = loadJsonContent('../builtin-roles.json')
var appRoles = [
  roleIds['Storage Blob Data Owner']
  roleIds['Storage Queue Data Contributor']
  roleIds['Storage Table Data Contributor']
]

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: sku
  }
  properties: {
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: isPrivate ? 'Disabled' : 'Enabled'
    networkAcls: {
      // Event Grid brings its events and dead letters as a trusted service, by the topic's own identity.
      bypass: 'AzureServices'
      defaultAction: isPrivate ? 'Deny' : 'Allow'
    }
    encryption: {
      keySource: 'Microsoft.Storage'
      requireInfrastructureEncryption: true
      services: {
        blob: {
          enabled: true
        }
        queue: {
          enabled: true
          keyType: 'Account'
        }
        table: {
          enabled: true
          keyType: 'Account'
        }
      }
    }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-06-01' = {
  parent: account
  name: 'default'
  properties: {
    deleteRetentionPolicy: {
      enabled: true
      days: 14
    }
    containerDeleteRetentionPolicy: {
      enabled: true
      days: 14
    }
  }
}

resource containers 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = [
  for container in [packages, stores.deadLetters, stores.buried, stores.anchors]: {
    parent: blobs
    name: container
    properties: {
      publicAccess: 'None'
    }
  }
]

// Not locked: a locked policy can never be shortened nor its account deleted. docs/deploy.md tells how to lock it.
resource anchorsStay 'Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies@2025-06-01' = if (!anchorsLocked) {
  name: '${account.name}/default/${stores.anchors}/default'
  properties: {
    immutabilityPeriodSinceCreationInDays: anchorDays
    allowProtectedAppendWrites: false
  }
  dependsOn: [
    containers
  ]
}

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2025-06-01' = {
  parent: account
  name: 'default'
}

resource queues 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-06-01' = [
  for queue in [stores.signalsQueue, stores.poisonQueue]: {
    parent: queueService
    name: queue
  }
]

resource tableService 'Microsoft.Storage/storageAccounts/tableServices@2025-06-01' = {
  parent: account
  name: 'default'
}

resource ledger 'Microsoft.Storage/storageAccounts/tableServices/tables@2025-06-01' = {
  parent: tableService
  name: stores.ledgerTable
}

resource access 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in appRoles: {
    scope: account
    name: guid(account.id, principalId, role)
    properties: {
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
    }
  }
]

resource blobLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: blobs
  name: 'airlock'
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        categoryGroup: 'audit'
        enabled: true
      }
    ]
  }
}

resource queueLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: queueService
  name: 'airlock'
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'StorageDelete'
        enabled: true
      }
    ]
  }
}

resource tableLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: tableService
  name: 'airlock'
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'StorageDelete'
        enabled: true
      }
    ]
  }
}

@description('Address of the container that the app\'s package is put into.')
output packageContainer string = '${account.properties.primaryEndpoints.blob}${packages}'
