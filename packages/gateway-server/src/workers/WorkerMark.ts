/** The environment variable that makes the command a worker. Only the owner sets it. */
export const workerVariable = "SECURE_MCP_GATEWAY_WORKER"

/** Whether this process is a worker of a gateway. */
export const isWorker = (): boolean => process.env[workerVariable] === "1" && process.connected
