export { ContractTime, ContractViolation, type ContractPoint } from "./ContractPoint.ts"
export * from "./TokenStoreContract.ts"
