// The private network: one subnet for the app, one for private endpoints, and the names that lead to them.

@description('Ending of every name.')
param token string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Address range of the network, /24 or larger.')
param addressPrefix string

@description('Resource id of a NAT gateway for what the app sends; empty for Azure\'s own way out.')
param natGatewayId string

@description('Resource id of a route table, to lead what the app sends through a firewall; empty for none.')
param routeTableId string

@description('Names of the private DNS zones, in the order of the output.')
param zones array

resource appRules 'Microsoft.Network/networkSecurityGroups@2024-10-01' = {
  name: 'nsg-airlock-app-${token}'
  location: location
  tags: tags
  properties: {
    securityRules: [
      {
        name: 'deny-all-inbound'
        properties: {
          priority: 4096
          direction: 'Inbound'
          access: 'Deny'
          protocol: '*'
          sourceAddressPrefix: '*'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
    ]
  }
}

resource endpointRules 'Microsoft.Network/networkSecurityGroups@2024-10-01' = {
  name: 'nsg-airlock-endpoints-${token}'
  location: location
  tags: tags
  properties: {
    securityRules: [
      {
        name: 'allow-https-from-network'
        properties: {
          priority: 100
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: 'VirtualNetwork'
          sourcePortRange: '*'
          destinationAddressPrefix: 'VirtualNetwork'
          destinationPortRange: '443'
        }
      }
      {
        name: 'deny-all-inbound'
        properties: {
          priority: 4096
          direction: 'Inbound'
          access: 'Deny'
          protocol: '*'
          sourceAddressPrefix: '*'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
    ]
  }
}

resource network 'Microsoft.Network/virtualNetworks@2024-10-01' = {
  name: 'vnet-airlock-${token}'
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: [
        addressPrefix
      ]
    }
    subnets: [
      {
        name: 'app'
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 26, 0)
          networkSecurityGroup: {
            id: appRules.id
          }
          natGateway: empty(natGatewayId) ? null : {
            id: natGatewayId
          }
          routeTable: empty(routeTableId) ? null : {
            id: routeTableId
          }
          // What Flex Consumption wants its subnet to be delegated to.
          delegations: [
            {
              name: 'flex'
              properties: {
                serviceName: 'Microsoft.App/environments'
              }
            }
          ]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 26, 1)
          networkSecurityGroup: {
            id: endpointRules.id
          }
          privateEndpointNetworkPolicies: 'Enabled'
        }
      }
    ]
  }
}

resource names 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for zone in zones: {
    name: zone
    location: 'global'
    tags: tags
  }
]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (zone, i) in zones: {
    parent: names[i]
    name: network.name
    location: 'global'
    tags: tags
    properties: {
      registrationEnabled: false
      virtualNetwork: {
        id: network.id
      }
    }
  }
]

@description('Resource id of the app\'s subnet.')
output appSubnetId string = '${network.id}/subnets/app'

@description('Resource id of the subnet for private endpoints.')
output endpointSubnetId string = '${network.id}/subnets/endpoints'
