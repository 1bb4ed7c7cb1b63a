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

/** The tag names the content, so an image that is there is the right one. In a shell of its own: its `set` must not reach the report. */
const build = `(
set -eu
if aws ecr describe-images --region "$repositoryRegion" --repository-name "\${repositoryUri#*/}" --image-ids "imageTag=$imageTag" >/dev/null 2>&1
then
  echo "$imageTag was built before"
else
  mkdir context && cd context
  aws s3 cp "$sourceS3Url" ../context.zip
  unzip -q ../context.zip
  aws ecr get-login-password --region "$repositoryRegion" | docker login --username AWS --password-stdin "$repositoryAuthUri"
  aws ecr-public get-login-password --region us-east-1 | docker login --username AWS --password-stdin public.ecr.aws
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
