// What auditors and the SOC ask the log, as functions of the workspace: `AirlockFixed(7d)`.

@description('Name of the workspace.')
param workspaceName string

var functions = [
  {
    name: 'AirlockAlertGaps'
    parameters: 'lookback:timespan=7d, patience:timespan=2h'
    query: loadTextContent('../queries/AirlockAlertGaps.kql')
  }
  {
    name: 'AirlockAlerts'
    parameters: 'lookback:timespan=30d'
    query: loadTextContent('../queries/AirlockAlerts.kql')
  }
  {
    name: 'AirlockApprovals'
    parameters: 'lookback:timespan=30d'
    query: loadTextContent('../queries/AirlockApprovals.kql')
  }
  {
    name: 'AirlockChain'
    parameters: 'lookback:timespan=30d'
    query: loadTextContent('../queries/AirlockChain.kql')
  }
  {
    name: 'AirlockContested'
    parameters: 'lookback:timespan=30d'
    query: loadTextContent('../queries/AirlockContested.kql')
  }
  {
    name: 'AirlockControls'
    parameters: 'lookback:timespan=30d'
    query: loadTextContent('../queries/AirlockControls.kql')
  }
  {
    name: 'AirlockCoverageGaps'
    parameters: 'lookback:timespan=7d, patience:timespan=1h'
    query: loadTextContent('../queries/AirlockCoverageGaps.kql')
  }
  {
    name: 'AirlockDeadLetters'
    parameters: 'lookback:timespan=30d'
    query: loadTextContent('../queries/AirlockDeadLetters.kql')
  }
  {
    name: 'AirlockExemptions'
    parameters: 'lookback:timespan=30d'
    query: loadTextContent('../queries/AirlockExemptions.kql')
  }
  {
    name: 'AirlockFailures'
    parameters: 'lookback:timespan=30d'
    query: loadTextContent('../queries/AirlockFailures.kql')
  }
  {
    name: 'AirlockFindings'
    parameters: 'lookback:timespan=30d'
    query: loadTextContent('../queries/AirlockFindings.kql')
  }
  {
    name: 'AirlockFixed'
    parameters: 'lookback:timespan=30d'
    query: loadTextContent('../queries/AirlockFixed.kql')
  }
  {
    name: 'AirlockHeartbeatGaps'
    parameters: 'lookback:timespan=30d, allowed:timespan=90m'
    query: loadTextContent('../queries/AirlockHeartbeatGaps.kql')
  }
  {
    name: 'AirlockHolds'
    parameters: 'lookback:timespan=90d'
    query: loadTextContent('../queries/AirlockHolds.kql')
  }
  {
    name: 'AirlockKeyRotations'
    parameters: 'lookback:timespan=90d'
    query: loadTextContent('../queries/AirlockKeyRotations.kql')
  }
  {
    name: 'AirlockModes'
    parameters: 'lookback:timespan=365d'
    query: loadTextContent('../queries/AirlockModes.kql')
  }
  {
    name: 'AirlockOpenFindings'
    parameters: 'lookback:timespan=30d'
    query: loadTextContent('../queries/AirlockOpenFindings.kql')
  }
  {
    name: 'AirlockOperators'
    parameters: 'lookback:timespan=90d'
    query: loadTextContent('../queries/AirlockOperators.kql')
  }
  {
    name: 'AirlockPosture'
    parameters: 'lookback:timespan=30d'
    query: loadTextContent('../queries/AirlockPosture.kql')
  }
  {
    name: 'AirlockRecords'
    parameters: 'lookback:timespan=30d'
    query: loadTextContent('../queries/AirlockRecords.kql')
  }
  {
    name: 'AirlockReverts'
    parameters: 'lookback:timespan=30d'
    query: loadTextContent('../queries/AirlockReverts.kql')
  }
  {
    name: 'AirlockSettingsChanges'
    parameters: 'lookback:timespan=365d'
    query: loadTextContent('../queries/AirlockSettingsChanges.kql')
  }
  {
    name: 'AirlockSweeps'
    parameters: 'lookback:timespan=30d'
    query: loadTextContent('../queries/AirlockSweeps.kql')
  }
  {
    name: 'AirlockTimeToFix'
    parameters: 'lookback:timespan=30d'
    query: loadTextContent('../queries/AirlockTimeToFix.kql')
  }
  {
    name: 'AirlockUndone'
    parameters: 'lookback:timespan=90d'
    query: loadTextContent('../queries/AirlockUndone.kql')
  }
  {
    name: 'AirlockWaiting'
    parameters: 'lookback:timespan=30d'
    query: loadTextContent('../queries/AirlockWaiting.kql')
  }
]

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' existing = {
  name: workspaceName
}

resource saved 'Microsoft.OperationalInsights/workspaces/savedSearches@2025-02-01' = [
  for each in functions: {
    parent: workspace
    name: each.name
    // Without it a function that is there already is not written over.
    etag: '*'
    properties: {
      category: 'Airlock'
      displayName: each.name
      functionAlias: each.name
      functionParameters: each.parameters
      query: each.query
      version: 2
    }
  }
]
