export const agentName = "bulkhead-agent";
export const agentVersion = "0.1.0";
