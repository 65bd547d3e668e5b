// The subscription's own events. There can be one system topic for them: ours, or one that was there before.

@description('Name of the system topic.')
param topicName string

@description('Tags of every resource.')
param tags object

@description('Whether the topic is there already and belongs to somebody else.')
param isExisting bool

resource own 'Microsoft.EventGrid/systemTopics@2025-02-15' = if (!isExisting) {
  name: topicName
  location: 'global'
  tags: tags
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    source: subscription().id
    topicType: 'Microsoft.Resources.Subscriptions'
  }
}

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = {
  name: topicName
}

@description('Principal (object) id of the topic\'s identity, by which it delivers.')
output principalId string = isExisting ? topic.identity.principalId : own!.identity.principalId
