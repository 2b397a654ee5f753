"""What huggingface_hub makes of the same cache, as one JSON object.

    hub_oracle.py fetch ENDPOINT CACHE REPO    downloads the repository, prints its folder
    hub_oracle.py find CACHE REPO              offline: prints the folder, and what a scan says
"""

import json
import os
import sys

command = sys.argv[1]
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["HF_HUB_DISABLE_XET"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "0" if command == "fetch" else "1"
os.environ["HF_HOME"] = os.path.join(sys.argv[3 if command == "fetch" else 2], "home")
os.environ.pop("HF_TOKEN", None)
if command == "fetch":
    os.environ["HF_ENDPOINT"] = sys.argv[2]

import huggingface_hub  # noqa: E402  (reads the environment when it is imported)

if command == "fetch":
    cache, repo = sys.argv[3:5]
    print(json.dumps({"folder": huggingface_hub.snapshot_download(repo, cache_dir=cache)}))
else:
    cache, repo = sys.argv[2:4]
    folder = huggingface_hub.snapshot_download(repo, cache_dir=cache, local_files_only=True)
    scan = huggingface_hub.scan_cache_dir(cache)
    found = next(iter(scan.repos))
    revision = next(iter(found.revisions))
    print(json.dumps({
        "folder": folder,
        "config": huggingface_hub.try_to_load_from_cache(repo, "config.json", cache_dir=cache),
        "warnings": [str(warning) for warning in scan.warnings],
        "repo": found.repo_id,
        "refs": sorted(revision.refs),
        "files": sorted(file.file_name for file in revision.files),
        "size": found.size_on_disk}))
