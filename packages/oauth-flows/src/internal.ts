/**
 * For the packages of this family only: may change in any release.
 *
 * @module
 */
export { makeSecretCutter } from "./mask/SecretMask.ts"
export { networkZone, type NetworkZone } from "./endpoint/NetworkZone.ts"
export { GrantInspection, type Inspection, type LoginParts, type TriedPlace } from "./GrantInspection.ts"
export type { GrantPreview } from "./resolution/GrantTarget.ts"
export { AddressGuard } from "./endpoint/AddressGuard.ts"
export { fetchKeySet, findIssuerMetadata, type IssuerMetadata } from "./discovery/IssuerKeys.ts"
export { configuredClient } from "./resolution/ConfiguredClient.ts"
export {
  type BrowserAuthorization,
  BrowserAuthorizations,
  type BrowserGrant,
  nonceOf
} from "./authorization/BrowserAuthorization.ts"
export { makeConsentRequests } from "./authorization/ConsentRequest.ts"
