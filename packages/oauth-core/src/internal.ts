/**
 * For the packages of this family only: may change in any release.
 *
 * @module
 */
export { addressNotAllowed } from "./AddressLookup.ts"
export { discardBody } from "./DiscardBody.ts"
export { freeMemory, freeWhenWritten, isFreedWhenWritten } from "./memory/PassingMemory.ts"
export { formatProblem, problem } from "./problems/ConfigProblem.ts"
export { identified } from "./config/GrantRules.ts"
export { ownKeysOf } from "./config/OwnKeys.ts"
export { callerTokenReference, fileReference, isCallerToken } from "./config/LateReference.ts"
export { presetsIn } from "./config/ProviderPresets.ts"
export { closestName } from "./problems/Suggestion.ts"
export { userAgentProblem } from "./config/RequestParameterRules.ts"
export { clientCertificateAdvice, proxyFailed } from "./errors/ConnectionProblem.ts"
export { ProxyFailure } from "./errors/ProxyFailure.ts"
export type { Preset } from "./providers/ProviderProfile.ts"
export { providerIn, providerNames, providerProfiles, type ProviderName } from "./providers/Providers.ts"
export { proxyAddress } from "./proxy/Proxies.ts"
export { proxiesOf, proxyProblem, ProxySetting } from "./proxy/ProxySetting.ts"
export { subjectOf, tokenFingerprint, tokenKeyOf } from "./TokenKey.ts"
export { isSecretValid } from "./RegisteredClients.ts"
export { inSpan, isTraced } from "./TracedSpan.ts"
export { type Ordered, UseOrder } from "./order/UseOrder.ts"
