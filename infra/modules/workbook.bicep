// The workbook on the log: posture, fixes, failures, exemptions, latency, controls, contested, coverage.

@description('Resource id of the workspace.')
param workspaceId string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(workspaceId, 'airlock')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Airlock'
    description: 'What Airlock found, fixed, could not fix, and left alone.'
    category: 'workbook'
    sourceId: workspaceId
    version: 'Notebook/1.0'
    serializedData: replace(string(loadJsonContent('../workbook/airlock.json')), '<workspace>', workspaceId)
  }
}
