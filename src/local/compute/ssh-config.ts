/** /etc/ssh/ssh_config of every sandbox: ssh, and git over it, go through the proxy. */
export const sshConfig = `Host * !localhost !127.* !::1
  ProxyCommand /opt/bulkhead/bin/node /opt/bulkhead/bin/proxy-connect %h %p
`;
