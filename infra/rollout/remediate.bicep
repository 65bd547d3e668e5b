// Wires the subscriptions that are there already, or that an upgrade has to wire anew. Azure Policy knows them once it
// has looked at them, some time after the assignment; what comes later the policy wires by itself.

targetScope = 'managementGroup'

@description('Resource id of the policy assignment, as infra/rollout/main.bicep tells it.')
param assignmentId string

@description('What tells this run from others: a date will do.')
param run string

resource wiring 'Microsoft.PolicyInsights/remediations@2024-10-01' = {
  name: 'airlock-wiring-${run}'
  properties: {
    policyAssignmentId: assignmentId
    resourceDiscoveryMode: 'ExistingNonCompliant'
    parallelDeployments: 10
    failureThreshold: {
      percentage: 1
    }
  }
}
