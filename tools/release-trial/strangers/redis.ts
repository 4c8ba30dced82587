// The store in Redis: only its types, and that it can be loaded.
import assert from "node:assert/strict"
import { RedisTokenStore } from "@secure-mcp/token-cache-redis"
import * as Layer from "effect/Layer"

assert.ok(Layer.isLayer(RedisTokenStore.layer) || typeof RedisTokenStore.layer === "function")
