// Defender's alerts on their way: automation, Logic App, topic. Defender has no topic of its own, and its automations
// can start a Logic App but not send to Event Grid.

@description('Ending of every name.')
param token string

@description('Name of the topic.')
param topicName string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Resource id of the workspace that gets the relay\'s own logs.')
param workspaceId string

@description('Whether Defender\'s alerts of this subscription are relayed.')
param relay bool

var kinds = loadJsonContent('../generated/alerts.json')
var roleIds = loadJsonContent('../builtin-roles.json')
var trigger = loadJsonContent('../names.json').relayTrigger

// Open to the public network: the relay comes from Azure's own addresses, which change. No key opens it.
resource topic 'Microsoft.EventGrid/topics@2025-02-15' = {
  name: topicName
  location: location
  tags: tags
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    inputSchema: 'CloudEventSchemaV1_0'
    disableLocalAuth: true
    publicNetworkAccess: 'Enabled'
    minimumTlsVersionAllowed: '1.2'
  }
}

resource topicLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: topic
  name: 'airlock'
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        categoryGroup: 'allLogs'
        enabled: true
      }
    ]
  }
}

resource workflow 'Microsoft.Logic/workflows@2019-05-01' = {
  name: 'logic-airlock-${token}'
  location: location
  tags: tags
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    // Not a condition on the resource: a deployment never takes away what an earlier one made.
    state: relay ? 'Enabled' : 'Disabled'
    definition: {
      '$schema': 'https://schema.management.azure.com/providers/Microsoft.Logic/schemas/2016-06-01/workflowdefinition.json#'
      contentVersion: '1.0.0.0'
      parameters: {
        topic: {
          type: 'String'
          defaultValue: topic.properties.endpoint
        }
      }
      triggers: {
        '${trigger}': {
          type: 'Request'
          kind: 'Http'
          inputs: {
            schema: {}
          }
          // Alerts name people and addresses, which have no place in a run history.
          runtimeConfiguration: {
            secureData: {
              properties: [
                'outputs'
              ]
            }
          }
        }
      }
      actions: {
        publish: {
          type: 'Http'
          inputs: {
            method: 'POST'
            uri: '@parameters(\'topic\')'
            headers: {
              'Content-Type': 'application/cloudevents+json; charset=utf-8'
            }
            body: {
              specversion: '1.0'
              id: '@workflow().run.name'
              source: '/providers/Microsoft.Security'
              type: 'Microsoft.Security.Alert'
              time: '@utcNow()'
              datacontenttype: 'application/json'
              data: '@triggerBody()'
            }
            authentication: {
              type: 'ManagedServiceIdentity'
              audience: 'https://eventgrid.azure.net'
            }
            retryPolicy: {
              type: 'exponential'
              count: 10
              interval: 'PT10S'
              maximumInterval: 'PT1H'
            }
          }
          runAfter: {}
          runtimeConfiguration: {
            secureData: {
              properties: [
                'inputs'
                'outputs'
              ]
            }
          }
        }
      }
      outputs: {}
    }
  }
}

resource workflowLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: workflow
  name: 'airlock'
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'WorkflowRuntime'
        enabled: true
      }
    ]
  }
}

resource publisher 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: topic
  name: guid(topic.id, 'relay', 'EventGrid Data Sender')
  properties: {
    principalId: workflow.identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds['EventGrid Data Sender'])
  }
}

resource automation 'Microsoft.Security/automations@2023-12-01-preview' = {
  name: 'airlock-${token}'
  location: location
  tags: tags
  properties: {
    description: 'Tells Airlock of alerts that it has an answer to.'
    isEnabled: relay
    scopes: [
      {
        description: 'This subscription'
        scopePath: subscription().id
      }
    ]
    sources: [
      {
        eventSource: 'Alerts'
        // Any of the sets is enough.
        ruleSets: [
          for kind in kinds: {
            rules: [
              {
                propertyJPath: 'AlertType'
                propertyType: 'String'
                operator: 'StartsWith'
                expectedValue: kind
              }
            ]
          }
        ]
      }
    ]
    actions: [
      {
        actionType: 'LogicApp'
        logicAppResourceId: workflow.id
        uri: listCallbackUrl('${workflow.id}/triggers/${trigger}', '2019-05-01').value
      }
    ]
  }
}

@description('Where `airlock leak` and other publishers send to.')
output topicEndpoint string = topic.properties.endpoint

@description('Principal (object) id of the topic\'s identity, by which it delivers.')
output topicPrincipalId string = topic.identity.principalId

@description('Resource id of the Logic App; empty without the relay.')
output workflowId string = relay ? workflow.id : ''
