export * from "./MetricsSnapshot.ts"
export * from "./OAuthMetrics.ts"
