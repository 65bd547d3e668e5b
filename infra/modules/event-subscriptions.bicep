// What of the subscription's events is delivered, and where.

@description('Name of the system topic.')
param topicName string

@description('Names and properties of the event subscriptions.')
param subscriptions array

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = {
  name: topicName
}

resource delivered 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = [
  for each in subscriptions: {
    parent: topic
    name: each.name
    properties: each.properties
  }
]
