export * from "./ClientCertificates.ts"
export type { ConnectionPoolOptions } from "./ConnectionPool.ts"
export * from "./MtlsOAuthHttp.ts"
