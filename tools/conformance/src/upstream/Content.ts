import type { CallToolResult } from "@modelcontextprotocol/server"

/** A red pixel, PNG, base64. */
export const pixel =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="

/** No sound at all, WAV, base64. */
export const silence = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA="

export const text = (text: string) => ({ type: "text" as const, text })

export const image = () => ({ type: "image" as const, data: pixel, mimeType: "image/png" })

export const answer = (...content: CallToolResult["content"]): CallToolResult => ({ content })
