import {
  AwsFailure,
  type FakeState,
  holdsInterface,
  pace,
  page,
  type Rule,
  type SecurityGroup,
  type Tag,
} from "./state.ts";

/** Answers the elements below the root, as XML. */
export type Ec2Operation = (parameters: Parameters) => string;

/** Parameters of one call; each must be asked for, else the call is refused: nothing is sent that nobody looked at. */
export class Parameters {
  private readonly values: Map<string, string>;

  constructor(form: URLSearchParams) {
    this.values = new Map(form);
    this.values.delete("Action");
    if (this.take("Version") !== "2016-11-15") throw new AwsFailure("InvalidParameterValue", "Unknown API version.");
  }

  optional(name: string): string | undefined {
    const value = this.values.get(name);
    this.values.delete(name);
    return value;
  }

  take(name: string): string {
    const value = this.optional(name);
    if (value === undefined) throw new AwsFailure("MissingParameter", `The request must contain the parameter ${name}`);
    return value;
  }

  /** Calls `read` with the prefix of each item of a list, which is counted from one. */
  list<T>(prefix: string, read: (item: string) => T): T[] {
    const items: T[] = [];
    for (
      let number = 1;
      [...this.values.keys()].some((key) => key === `${prefix}.${number}` || key.startsWith(`${prefix}.${number}.`));
      number += 1
    ) {
      items.push(read(`${prefix}.${number}`));
    }
    return items;
  }

  done(): void {
    const [unknown] = this.values.keys();
    if (unknown !== undefined)
      throw new AwsFailure("UnknownParameter", `The fake does not know the parameter ${unknown}`);
  }
}

const everything: Rule = { direction: "out", protocol: "-1", from: null, to: null, peer: "0.0.0.0/0" };
const rulesPerDirection = 60;

const sameRule = (one: Rule) => (other: Rule) =>
  one.direction === other.direction &&
  one.protocol === other.protocol &&
  one.from === other.from &&
  one.to === other.to &&
  one.peer === other.peer;

export function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** EC2's operations on security groups, as far as they are used. */
export function makeEc2(state: FakeState): Readonly<Record<string, Ec2Operation>> {
  function group(id: string): SecurityGroup {
    const found = state.securityGroups.get(id);
    if (found === undefined) {
      throw new AwsFailure("InvalidGroup.NotFound", `The security group '${id}' does not exist`);
    }
    return found;
  }

  /** For what changes its rules: that may hear of a new group later. */
  function known(id: string): SecurityGroup {
    const found = group(id);
    if (state.now() - found.createdAt >= pace.groupKnown) return found;
    throw new AwsFailure("InvalidGroup.NotFound", `The security group '${id}' does not exist`);
  }

  function readTags(parameters: Parameters): Tag[] {
    return parameters
      .list("TagSpecification", (specification) => {
        if (parameters.take(`${specification}.ResourceType`) !== "security-group") {
          throw new AwsFailure("InvalidParameterValue", "A tag of something else.");
        }
        return parameters.list(`${specification}.Tag`, (tag) => ({
          key: parameters.take(`${tag}.Key`),
          value: parameters.take(`${tag}.Value`),
        }));
      })
      .flat();
  }

  function create(parameters: Parameters): string {
    const name = parameters.take("GroupName");
    const description = parameters.take("GroupDescription");
    const vpcId = parameters.take("VpcId");
    const tags = readTags(parameters);
    parameters.done();
    if (!/^[a-zA-Z0-9. _\-:/()#,@[\]+=&;{}!$*]{1,255}$/.test(description) || name.startsWith("sg-")) {
      throw new AwsFailure("InvalidParameterValue", "Bad name or description.");
    }
    if (vpcId !== state.vpcId) throw new AwsFailure("InvalidVpcID.NotFound", `The vpc ID '${vpcId}' does not exist`);
    if ([...state.securityGroups.values()].some((one) => one.name === name && one.vpcId === vpcId)) {
      throw new AwsFailure("InvalidGroup.Duplicate", `The security group '${name}' already exists`);
    }
    if (state.securityGroups.size >= state.limits.securityGroups) {
      throw new AwsFailure("SecurityGroupLimitExceeded", "The maximum number of security groups has been reached.");
    }
    const id = `sg-${String(state.nextNumber()).padStart(8, "0")}`;
    state.securityGroups.set(id, { id, name, vpcId, tags, rules: [everything], createdAt: state.now() });
    return `<return>true</return><groupId>${id}</groupId>`;
  }

  function readRules(parameters: Parameters, direction: Rule["direction"]): Rule[] {
    const rules = parameters.list("IpPermissions", (permission) => {
      const protocol = parameters.take(`${permission}.IpProtocol`);
      const from = parameters.optional(`${permission}.FromPort`);
      const to = parameters.optional(`${permission}.ToPort`);
      const peer = (list: string, field: string) =>
        parameters.list(`${permission}.${list}`, (item) => {
          parameters.optional(`${item}.Description`);
          return parameters.take(`${item}.${field}`);
        });
      const groups = peer("Groups", "GroupId");
      for (const id of groups) group(id);
      const peers = [...groups, ...peer("IpRanges", "CidrIp"), ...peer("PrefixListIds", "PrefixListId")];
      if (peers.length === 0) throw new AwsFailure("InvalidParameterValue", "A rule without a peer.");
      const ports = { from: from === undefined ? null : Number(from), to: to === undefined ? null : Number(to) };
      return peers.map((one): Rule => ({ direction, protocol, ...ports, peer: one }));
    });
    parameters.done();
    return rules.flat();
  }

  function authorize(direction: Rule["direction"]): Ec2Operation {
    return (parameters) => {
      const target = known(parameters.take("GroupId"));
      const rules = readRules(parameters, direction);
      if (rules.some((rule) => target.rules.some(sameRule(rule)))) {
        throw new AwsFailure("InvalidPermission.Duplicate", "the specified rule already exists");
      }
      if (target.rules.filter((rule) => rule.direction === direction).length + rules.length > rulesPerDirection) {
        throw new AwsFailure("RulesPerSecurityGroupLimitExceeded", "Too many rules.");
      }
      target.rules.push(...rules);
      return "<return>true</return>";
    };
  }

  function revokeEgress(parameters: Parameters): string {
    const target = known(parameters.take("GroupId"));
    for (const rule of readRules(parameters, "out")) {
      // Of a VPC that is not the default one, a rule that is not there is an error.
      if (!target.rules.some(sameRule(rule))) {
        throw new AwsFailure("InvalidPermission.NotFound", "The specified rule does not exist in this security group.");
      }
      target.rules = target.rules.filter((one) => !sameRule(rule)(one));
    }
    return "<return>true</return>";
  }

  function remove(parameters: Parameters): string {
    const { id } = group(parameters.take("GroupId"));
    parameters.done();
    const held = state.tasks.some((task) => holdsInterface(state, task) && task.securityGroups.includes(id));
    const named = [...state.securityGroups.values()].some(
      (one) => one.id !== id && one.rules.some((rule) => rule.peer === id),
    );
    if (held || named) throw new AwsFailure("DependencyViolation", `resource ${id} has a dependent object`);
    state.securityGroups.delete(id);
    return "<return>true</return>";
  }

  function describe(parameters: Parameters): string {
    const filters = parameters.list("Filter", (filter) => ({
      name: parameters.take(`${filter}.Name`),
      values: parameters.list(`${filter}.Value`, (value) => parameters.take(value)),
    }));
    const ids = parameters.list("GroupId", (id) => group(parameters.take(id)).id);
    const token = parameters.optional("NextToken");
    parameters.optional("MaxResults");
    parameters.done();
    const found = [...state.securityGroups.values()].filter(
      (one) => (ids.length === 0 || ids.includes(one.id)) && filters.every((filter) => matches(one, filter)),
    );
    const { items, next } = page(found, state.limits.pageSize, token);
    const item = ({ id, name, vpcId, tags, rules }: SecurityGroup) => {
      const egress = rules
        .filter((rule) => rule.direction === "out")
        .map((rule) => `<item><ipProtocol>${rule.protocol}</ipProtocol></item>`)
        .join("");
      const tagSet = tags
        .map((tag) => `<item><key>${tag.key}</key><value>${escapeXml(tag.value)}</value></item>`)
        .join("");
      return `<item><groupId>${id}</groupId><groupName>${name}</groupName><vpcId>${vpcId}</vpcId><tagSet>${tagSet}</tagSet><ipPermissionsEgress>${egress}</ipPermissionsEgress></item>`;
    };
    const more = next === undefined ? "" : `<nextToken>${next}</nextToken>`;
    return `<securityGroupInfo>${items.map(item).join("")}</securityGroupInfo>${more}`;
  }

  return {
    CreateSecurityGroup: create,
    DescribeSecurityGroups: describe,
    AuthorizeSecurityGroupIngress: authorize("in"),
    AuthorizeSecurityGroupEgress: authorize("out"),
    RevokeSecurityGroupEgress: revokeEgress,
    DeleteSecurityGroup: remove,
  };
}

function matches(group: SecurityGroup, filter: { readonly name: string; readonly values: readonly string[] }): boolean {
  const tag = filter.name.startsWith("tag:") ? filter.name.slice(4) : null;
  if (tag !== null) return group.tags.some((one) => one.key === tag && filter.values.includes(one.value));
  if (filter.name === "tag-key") return group.tags.some((one) => filter.values.includes(one.key));
  if (filter.name === "vpc-id") return filter.values.includes(group.vpcId);
  throw new AwsFailure("InvalidParameterValue", `The filter '${filter.name}' is invalid`);
}
