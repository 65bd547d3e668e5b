// Whom the alert rules tell.

@description('Ending of every name.')
param token string

@description('Tags of every resource.')
param tags object

@description('Mail addresses.')
param addresses array

resource group 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-airlock-${token}'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'airlock'
    enabled: true
    emailReceivers: [
      for address in addresses: {
        name: address
        emailAddress: address
        useCommonAlertSchema: true
      }
    ]
  }
}

@description('Resource id of the group.')
output id string = group.id
