# apps.py of your app, say; anymail is in INSTALLED_APPS, and urls.py has
# path("anymail/", include("anymail.urls")). In settings.py:
#   ANYMAIL = {"MAILGUN_WEBHOOK_SIGNING_KEY": os.environ["SECRET"]}
#   DATA_UPLOAD_MAX_MEMORY_SIZE = 64 << 20  # Django refuses bodies above 2.5 MB else
from anymail.signals import inbound
from django.dispatch import receiver

@receiver(inbound)
def mail(sender, event, esp_name, **kwargs):
    message = event.message  # an email.message.EmailMessage with more to it
    message.text, message.html, message.attachments, message.envelope_recipient
    print(message.subject, flush=True)  # your code
