import { BuildSpec } from "aws-cdk-lib/aws-codebuild";

/**
 * What CodeBuild does for one image. Variables are set by deploy-time-build's function, one build each.
 *
 * Not the library's own: that one pushes without looking, which an immutable tag refuses as soon as CloudFormation asks for the same
 * image again (a rollback, a stack that is made anew); and it reports a failure as JSON with a line break in a string, which
 * CloudFormation cannot read, so that a failed build holds the deployment for an hour.
 */
export function imageBuildSpec(): BuildSpec {
  return BuildSpec.fromObject({
    version: "0.2",
    phases: {
      build: { commands: [build] },
      post_build: { commands: [report] },
    },
  });
}

/**
 * BuildKit, by tag and digest (of the index, for every architecture). CodeBuild's own Docker cannot push zstd: it compresses anew, with
 * gzip, whatever a build was told.
 */
const buildKit = "moby/buildkit:v0.30.0@sha256:0168606be2315b7c807a03b3d8aa79beefdb31c98740cebdffdfeebf31190c9f";

const zstd = "oci-mediatypes=true,compression=zstd,compression-level=3,force-compression=true";

/**
 * The tag names the content, so an image that is there is the right one. BuildKit's own image comes from Docker Hub, which may turn
 * CodeBuild's shared addresses away: without it the image is built and pushed by Docker, as gzip. In a shell of its own: its `set`
 * must not reach the report.
 */
const build = `(
set -eu
if aws ecr describe-images --region "$repositoryRegion" --repository-name "\${repositoryUri#*/}" --image-ids "imageTag=$imageTag" >/dev/null 2>&1
then
  echo "$imageTag was built before"
  exit 0
fi
mkdir context && cd context
aws s3 cp "$sourceS3Url" ../context.zip
unzip -q ../context.zip
aws ecr get-login-password --region "$repositoryRegion" | docker login --username AWS --password-stdin "$repositoryAuthUri"
aws ecr-public get-login-password --region us-east-1 | docker login --username AWS --password-stdin public.ecr.aws
if docker buildx create --name zstd --driver docker-container --driver-opt "image=${buildKit}" --bootstrap
then
  docker buildx build --builder zstd --platform linux/arm64 --provenance=false \
    --output "type=image,name=$repositoryUri:$imageTag,push=true,${zstd}" .
else
  echo "BuildKit is not to be had: $imageTag becomes gzip, which Fargate unpacks more slowly"
  eval "$buildCommand"
  docker tag "artifact:$imageTag" "$repositoryUri:$imageTag"
  docker push "$repositoryUri:$imageTag"
fi
)`;

const report = `status=SUCCESS
if [ "$CODEBUILD_BUILD_SUCCEEDING" -ne 1 ]; then status=FAILED; fi
cat >answer.json <<END
{"Status":"$status","Reason":"Image $imageTag: see $CODEBUILD_BUILD_ID in CodeBuild","StackId":"$stackId","RequestId":"$requestId","LogicalResourceId":"$logicalResourceId","PhysicalResourceId":"$imageTag","Data":{"ImageTag":"$imageTag"}}
END
curl -sS -X PUT -H 'Content-Type:' --data-binary @answer.json "$responseURL"`;
