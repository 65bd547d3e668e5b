// The app settings. A module, because only a module's parameters may hold what the app's own settings are now.

@description('Name of the app.')
param siteName string

@description('What the app is set to now. Whatever somebody changed in the portal stays.')
@secure()
param current object

@description('What a setting is where nobody said anything.')
param defaults object

@description('What this deployment was told to set, which wins over the portal.')
param explicit object

@description('What has to fit the deployed resources, which wins over everything.')
param system object

@description('Resource ids that Airlock must never write to, beside those that somebody named in the portal.')
param ownResources array

var told = union(defaults, current, explicit)
var named = filter(split(told.?AIRLOCK_OWN_RESOURCES ?? '', ','), each => !empty(each))

resource site 'Microsoft.Web/sites@2024-11-01' existing = {
  name: siteName
}

resource settings 'Microsoft.Web/sites/config@2024-11-01' = {
  parent: site
  name: 'appsettings'
  properties: union(told, system, {
    AIRLOCK_OWN_RESOURCES: join(union(named, ownResources), ',')
  })
}
