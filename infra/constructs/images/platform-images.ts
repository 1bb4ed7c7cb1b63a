import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ContainerImageBuild } from "@cdklabs/deploy-time-build";
import { FileSystem } from "aws-cdk-lib";
import { Platform } from "aws-cdk-lib/aws-ecr-assets";
import { Construct } from "constructs";
import type { DeploymentConfig } from "../../config.ts";
import { encryptedLogGroup } from "../log-group.ts";
import type { PlatformImages as Images, PlatformState } from "../parts.ts";
import { confineBuilds } from "./deploy-time-build.ts";

/** Templates whose image is built here; names as lambdas/bootstrap/templates.ts writes them into the table. */
const builtTemplates = ["base", "code-interpreter"] as const;

export interface PlatformImagesProps {
  readonly config: DeploymentConfig;
  readonly state: Pick<PlatformState, "imageRepository" | "keys">;
  /** Directory of the build contexts, one below it for each image. @default dist/images, where `npm run build` puts them */
  readonly contexts?: string;
}

/**
 * Images of the templates and of the edge, for arm64. What the configuration gives by digest is taken; the rest is built by CodeBuild
 * during the deployment, so that the deployer needs no Docker. A tag is the hash of what the image is built from and is never moved:
 * an unchanged context is not built again. Base images are pinned in the Dockerfiles; a newer one there is what brings a new build.
 */
export class PlatformImages extends Construct implements Images {
  readonly templates: Readonly<Record<string, string>>;
  readonly edge: string;
  readonly #props: PlatformImagesProps;
  readonly #builds: ContainerImageBuild[] = [];

  constructor(scope: Construct, id: string, props: PlatformImagesProps) {
    super(scope, id);
    this.#props = props;
    const { config, state } = props;
    const missing = builtTemplates.filter((name) => config.images[name] === undefined);
    const built = Object.fromEntries(missing.map((name) => [name, this.#build(name)]));
    this.templates = { ...built, ...config.images };
    this.edge = config.edgeImage ?? this.#build("edge");
    if (this.#builds.length === 0) return;
    confineBuilds(this.#builds, {
      repositoryArn: state.imageRepository.repositoryArn,
      logGroup: encryptedLogGroup(this, "BuildLog", { config, key: state.keys.data, keep: false }),
    });
  }

  #build(name: string): string {
    const directory = join(this.#props.contexts ?? defaultContexts, name);
    if (!existsSync(join(directory, "Dockerfile"))) {
      throw new Error(`${directory} has no Dockerfile. Run: npm run build`);
    }
    const image = new ContainerImageBuild(this, name, {
      directory,
      platform: Platform.LINUX_ARM64,
      repository: this.#props.state.imageRepository,
      tag: `${name}-${FileSystem.fingerprint(directory).slice(0, 32)}`,
      // Compressed with zstd by the build specification: what the library does for it is undone by the push.
    });
    this.#builds.push(image);
    return image.imageUri;
  }
}

const defaultContexts = fileURLToPath(new URL("../../../dist/images", import.meta.url));
