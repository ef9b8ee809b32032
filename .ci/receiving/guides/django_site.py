"""A Django site around the signal handler of the guide."""
import os
import runpy
import sys

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="guide",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["anymail"],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    DATA_UPLOAD_MAX_MEMORY_SIZE=64 << 20,
    ANYMAIL={"MAILGUN_WEBHOOK_SIGNING_KEY": os.environ["SECRET"]},
)
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import include, path  # noqa: E402

urlpatterns = [path("anymail/", include("anymail.urls"))]
handler = runpy.run_path(os.environ["FILE"])  # noqa: F841 (a signal holds its receivers weakly)
application = get_wsgi_application()

if __name__ == "__main__":
    sys.modules.setdefault("django_site", sys.modules[__name__])
    from socketserver import ThreadingMixIn
    from wsgiref.simple_server import WSGIServer, make_server

    class Server(ThreadingMixIn, WSGIServer):
        daemon_threads = True

    make_server("127.0.0.1", int(os.environ["PORT"]), application, Server).serve_forever()
