"""The peer: Django with Django REST framework, one row by its primary key, serialised by a ModelSerializer.

Without middleware, sessions and sign-in, with a pool of connections: the quickest that its documentation names. It
imports nothing of the product and runs in any Python that has bench/peers.txt, psycopg and uvicorn.
"""

from __future__ import annotations

import argparse
import os

import django
from _raw import serve
from django.conf import settings

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--socket", required=True, help="folder of PostgreSQL's socket")
given = parser.parse_args()

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": "servicepunkt",
            "USER": "servicepunkt_app",
            "HOST": given.socket,
            "OPTIONS": {"pool": True},
        }
    },
    DEBUG=False,
    INSTALLED_APPS=["rest_framework"],
    MIDDLEWARE=[],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": [],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "UNAUTHENTICATED_USER": None,
    },
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.urandom(16).hex(),
    USE_TZ=True,
)
django.setup()

from django.core.handlers.asgi import ASGIHandler  # noqa: E402 - Django's modules need the settings above
from django.db import models  # noqa: E402
from django.http import HttpRequest, JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework import generics, serializers  # noqa: E402


class Service(models.Model):
    """A service with its texts, as pages.py has put it into the table."""

    id = models.TextField(primary_key=True)
    name_de = models.TextField()
    name_en = models.TextField()
    summary_de = models.TextField()
    summary_en = models.TextField()
    description_de = models.TextField()
    description_en = models.TextField()
    fee_de = models.TextField()
    duration_de = models.TextField()
    legal_basis = models.TextField()

    class Meta:
        app_label = "bench"
        db_table = "bench_service"
        managed = False


class ServiceSerializer(serializers.ModelSerializer):  # type: ignore[misc, unused-ignore]
    class Meta:
        model = Service
        fields = "__all__"


class ServiceView(generics.RetrieveAPIView):  # type: ignore[misc, unused-ignore]
    queryset = Service.objects.all()
    serializer_class = ServiceSerializer


async def plain_service(request: HttpRequest, pk: str) -> JsonResponse:
    """The same row without Django REST framework: asynchronous from end to end, no thread in between."""
    del request
    return JsonResponse(await Service.objects.filter(pk=pk).values().aget())


urlpatterns = [
    path("service/<str:pk>", ServiceView.as_view()),
    path("plain/<str:pk>", plain_service),
]

if __name__ == "__main__":
    serve(ASGIHandler(), given.port)
