export { ApiKeys, type ApiKeyOf } from "./ApiKeys.ts"
export { CallerRefused } from "./CallerRefused.ts"
export {
  type Caller,
  type CallerMethod,
  Callers,
  type ClientCertificate,
  type Identification,
  type InboundRequest
} from "./Callers.ts"
export { CertificateCallers } from "./CertificateCallers.ts"
export { JwtBearer, type JwtBearerOptions, type JwtIssuer } from "./JwtBearer.ts"
export { type IntrospectingIssuer, Introspection, type IntrospectionOptions } from "./Introspection.ts"
export {
  type BrowserLogin,
  type LoginWishes,
  makeOpenIdLogin,
  type OpenIdLogin,
  OpenIdLoginFailed,
  type OpenIdLoginOptions,
  type OpenIdProvider
} from "./OpenIdLogin.ts"
