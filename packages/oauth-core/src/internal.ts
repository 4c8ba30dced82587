/**
 * For the packages of this family only: may change in any release.
 *
 * @module
 */
export { formatProblem, problem } from "./config/ConfigProblem.ts"
export { fileReference } from "./config/FileReference.ts"
export { closestName } from "./config/Suggestion.ts"
export { userAgentProblem } from "./config/RequestParameterRules.ts"
export { clientCertificateAdvice } from "./errors/ConnectionProblem.ts"
export { tokenFingerprint } from "./TokenKey.ts"
export { isSecretValid } from "./RegisteredClients.ts"
