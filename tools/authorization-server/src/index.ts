export * from "./AuthorizationServer.ts"
export * from "./ProtectedResource.ts"
export * from "./TokenRequest.ts"
export * from "./TokenIntrospection.ts"
