// Defender for AI services, which raises the alerts. It costs by the number of tokens that it watches.

targetScope = 'subscription'

resource plan 'Microsoft.Security/pricings@2024-01-01' = {
  name: 'AI'
  properties: {
    pricingTier: 'Standard'
    enforce: 'True'
    extensions: [
      {
        name: 'AIPromptEvidence'
        isEnabled: 'True'
      }
    ]
  }
}
