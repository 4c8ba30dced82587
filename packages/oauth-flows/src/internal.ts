/**
 * For the packages of this family only: may change in any release.
 *
 * @module
 */
export { makeSecretCutter } from "./endpoint/SecretMask.ts"
