#!/bin/sh
# A release on Cloud Run, a step a command. What fails sends all traffic back: docs/releasing.md.
set -eu
cd "$(dirname "$0")/../.."
services='auth product stock order web'

usage() {
    cat <<'TEXT'
usage: ./dev release STEP

  check TAG   is TAG the letter v and the version of the project?
  canary      the schema of IMAGE, then a revision of each service, tagged `canary` and without traffic
  smoke       a walk through the canaries, from inside of their network
  promote     a tenth of the traffic to the canaries, then all, then the worker; a walk from outside after each
  docs        the pages of the API, into their bucket
  rollback    all traffic, and the worker, back to what there was before

The environment says what and where: IMAGE, PROJECT, PROJECT_NUMBER, REGION, GATEWAY_ADDRESS, DOMAIN.
TEXT
}

refuse() {
    echo "release: $1" >&2
    exit 1
}

check() {
    version=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)
    [ "${1:-}" = "v$version" ] || refuse "the tag is ${1:-missing}, and the project's version is $version"
}

filled() {
    sed -e "s|\${IMAGE}|$IMAGE|g" -e "s|\${PROJECT}|$PROJECT|g" -e "s|\${PROJECT_NUMBER}|$PROJECT_NUMBER|g" \
        -e "s|\${REGION}|$REGION|g" -e "s|\${GATEWAY_ADDRESS}|$GATEWAY_ADDRESS|g" "deploy/cloudrun/$1.yaml"
}

# FIELD of those targets of a service's traffic that FILTER lets through, with commas.
targets() {
    gcloud run services describe "ecshop-$1" --format="value(status.traffic.filter('$2').extract($3).list())" |
        tr -d "[]' "
}

traffic() {
    for service in $services; do
        gcloud run services update-traffic "ecshop-$service" "$@"
    done
}

canary() {
    former=
    for service in $services; do
        revision=$(targets "$service" 'percent>0' revisionName)
        case $revision in
            '') refuse "ecshop-$service serves nothing; the first deployment is docs/deploy-cloud-run.md" ;;
            *,*) refuse "ecshop-$service is between $revision: promote the last release, or roll it back" ;;
        esac
        former="$former $service=$revision"
    done
    for one in $former; do
        gcloud run services update-traffic "ecshop-${one%%=*}" --update-tags="previous=${one#*=}"
    done
    roll_back_on_failure
    filled migrate-job | gcloud run jobs replace -
    gcloud run jobs execute ecshop-migrate --wait
    for one in $former; do
        # As `gcloud run deploy --no-traffic --tag=canary`, which would take the image alone, not the rest of the file.
        {
            filled "${one%%=*}"
            echo '  traffic:'
            echo "    - {revisionName: ${one#*=}, percent: 100, tag: previous}"
            echo '    - {latestRevision: true, tag: canary}'
        } | gcloud run services replace -
    done
}

# Refuses before anything has changed: without canaries no release is under way.
canaries() {
    urls=
    for service in $services; do
        url=$(targets "$service" 'tag:canary' url)
        [ -n "$url" ] || refuse "ecshop-$service has no canary"
        urls="$urls,ECSHOP_$(echo "$service" | tr '[:lower:]' '[:upper:]')_URL=$url"
    done
}

# The services take no requests from the internet, so the walk is a job in their network.
smoke() {
    canaries
    roll_back_on_failure
    gcloud run jobs deploy ecshop-smoke --image="$IMAGE" --execute-now --wait --max-retries=0 --task-timeout=5m \
        --network=ecshop --subnet=ecshop --vpc-egress=all-traffic \
        --service-account="ecshop-smoke@$PROJECT.iam.gserviceaccount.com" \
        --set-env-vars="${urls#,}" --set-secrets=/secrets/smoke=ecshop-smoke:latest \
        --command=sh --args='^;^-c;ecshop smoke --staff smoke </secrets/smoke'
}

walk() {
    password=$(gcloud secrets versions access latest --secret=ecshop-smoke)
    echo "$password" | ./dev smoke "https://$DOMAIN" --staff smoke
}

promote() {
    canaries
    roll_back_on_failure
    traffic --to-tags=canary=10,previous=90
    walk
    traffic --to-tags=canary=100
    walk
    filled worker-pool | gcloud beta run worker-pools replace -
    gcloud beta run worker-pools update-instance-split ecshop-worker --to-latest
    walk
    trap - EXIT
    traffic --remove-tags=canary
    docs
}

docs() {
    .venv/bin/ecshop docs build/docs
    gcloud storage cp --recursive 'build/docs/*' "gs://$PROJECT-docs/docs/"
}

# The worker's revision of the image that order ran before: there are no tags for workers.
former_worker() {
    revision=$(targets order 'tag:previous' revisionName)
    ran=$(gcloud run revisions describe "$revision" --format='value(spec.containers[0].image)')
    [ -n "$ran" ] || return 1
    gcloud beta run worker-pools revisions list --worker-pool=ecshop-worker --filter="spec.containers.image=\"$ran\"" \
        --sort-by='~metadata.creationTimestamp' --format='value(metadata.name)' | head -n 1
}

rollback() {
    left=
    for service in $services; do
        gcloud run services update-traffic "ecshop-$service" --to-tags=previous=100 --remove-tags=canary ||
            left="$left ecshop-$service"
    done
    worker=$(former_worker) || worker=
    if [ -z "$worker" ] ||
        ! gcloud beta run worker-pools update-instance-split ecshop-worker --to-revisions="$worker=100"; then
        left="$left ecshop-worker"
    fi
    [ -z "$left" ] || refuse "not gone back:$left (docs/releasing.md, \"Back by hand\")"
}

roll_back_on_failure() {
    trap failed EXIT
    trap 'exit 130' INT
    trap 'exit 143' HUP TERM
}

failed() {
    status=$?
    trap - EXIT
    [ "$status" = 0 ] && return
    echo 'release: failed; all traffic goes back' >&2
    (rollback) || true
    exit "$status"
}

step=${1:-}
case $step in
    check) check "${2:-}" ;;
    canary | smoke | promote | docs | rollback)
        : "${PROJECT:?}" "${REGION:?}"
        case $step in
            canary | promote) : "${IMAGE:?}" "${PROJECT_NUMBER:?}" "${GATEWAY_ADDRESS:?}" "${DOMAIN:?}" ;;
            smoke) : "${IMAGE:?}" ;;
        esac
        export CLOUDSDK_CORE_PROJECT="$PROJECT" CLOUDSDK_RUN_REGION="$REGION" CLOUDSDK_CORE_DISABLE_PROMPTS=1
        "$step"
        ;;
    *) usage; [ "$step" = help ] || exit 2 ;;
esac
