export { ContractTime, ContractViolation, type ContractPoint } from "./ContractPoint.ts"
export { MemoryTokenStore } from "./MemoryTokenStore.ts"
export { tokenStoreContract } from "./TokenStoreContract.ts"
