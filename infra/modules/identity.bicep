// The identity that the app is. User-assigned, so that its rights outlive the app.

@description('Ending of every name.')
param token string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-airlock-${token}'
  location: location
  tags: tags
}

@description('Resource id.')
output id string = identity.id

@description('Client (application) id.')
output clientId string = identity.properties.clientId

@description('Principal (object) id.')
output principalId string = identity.properties.principalId
