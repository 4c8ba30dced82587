export {
  ContractViolation,
  type ContractPoint,
  type ContractRoute,
  TransportContract
} from "./ContractPoint.ts"
export type { ContractTls } from "./ContractServer.ts"
export { oauthHttpContract } from "./TransportContract.ts"
