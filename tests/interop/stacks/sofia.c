/* A phone around Sofia-SIP's nua that does what the lines of its input say (see stack.Phone). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SU_ROOT_MAGIC_T struct phone
#define NUA_MAGIC_T struct phone
#define NUA_HMAGIC_T void

typedef struct phone phone_t;
#include <sofia-sip/msg_header.h>
#include <sofia-sip/msg_parser.h>
#include <sofia-sip/nua.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/su_wait.h>

struct phone {
  su_root_t *root;
  nua_t *nua;
  nua_handle_t *registration, *call;
  char own[200], proxy[100], credentials[200], sdp[300];
};

static void authenticate(phone_t *phone, nua_handle_t *handle, sip_t const *sip)
{
  sip_www_authenticate_t const *asked = sip->sip_www_authenticate;
  if (!asked)
    asked = sip->sip_proxy_authenticate;
  char const *realm = asked ? msg_params_find(asked->au_params, "realm=") : NULL;
  if (!realm || !getenv("PHONE_PASSWORD")[0])
    return;
  snprintf(phone->credentials, sizeof phone->credentials, "Digest:%s:%s:%s", realm, getenv("PHONE_USER"),
           getenv("PHONE_PASSWORD"));
  nua_authenticate(handle, NUTAG_AUTH(phone->credentials), TAG_END());
}

static void happen(nua_event_t event, int status, char const *phrase, nua_t *nua, phone_t *phone,
                   nua_handle_t *handle, void *unused, sip_t const *sip, tagi_t tags[])
{
  printf("%s %d %s\n", nua_event_name(event), status, phrase);
  fflush(stdout);
  if (sip && (status == 401 || status == 407))
    authenticate(phone, handle, sip);
  if (event == nua_i_invite && status < 200)
    phone->call = handle;
  else if (event == nua_i_message && status < 200)
    nua_respond(handle, SIP_200_OK, NUTAG_WITH_THIS(nua), TAG_END());
}

static nua_handle_t *towards(phone_t *phone, char const *user)
{
  char uri[200];
  snprintf(uri, sizeof uri, "sip:%s@%s", user, getenv("PHONE_SERVER"));
  return nua_handle(phone->nua, NULL, SIPTAG_TO_STR(uri), TAG_END());
}

static void obey(phone_t *phone, char *line)
{
  char word[20] = "", user[100] = "", text[100] = "";
  sscanf(line, "%19s %99s %99[^\n]", word, user, text);
  printf("told %s\n", word);
  if (!strcmp(word, "register")) {
    if (!phone->registration)
      phone->registration = towards(phone, getenv("PHONE_USER"));
    nua_register(phone->registration, NUTAG_REGISTRAR(phone->proxy), TAG_END());
  } else if (!strcmp(word, "call")) {
    phone->call = towards(phone, user);
    nua_invite(phone->call, SOATAG_USER_SDP_STR(phone->sdp), TAG_END());
  } else if (!strcmp(word, "answer") && phone->call) {
    nua_respond(phone->call, SIP_200_OK, SOATAG_USER_SDP_STR(phone->sdp), TAG_END());
  } else if (!strcmp(word, "hangup") && phone->call) {
    nua_bye(phone->call, TAG_END());
    phone->call = NULL;
  } else if (!strcmp(word, "message")) {
    nua_message(towards(phone, user), SIPTAG_CONTENT_TYPE_STR("text/plain"), SIPTAG_PAYLOAD_STR(text), TAG_END());
  }
}

static int listen_to_input(phone_t *phone, su_wait_t *wait, su_wakeup_arg_t *unused)
{
  static char rest[2000];
  size_t have = strlen(rest);
  ssize_t got = read(0, rest + have, sizeof rest - have - 1);
  if (got <= 0)
    exit(0);
  rest[have + got] = 0;
  for (char *end; (end = strchr(rest, '\n')); memmove(rest, end + 1, strlen(end + 1) + 1)) {
    *end = 0;
    obey(phone, rest);
  }
  return 0;
}

int main(void)
{
  static phone_t phone[1];
  char bind[100];
  char const *address = getenv("PHONE_ADDRESS");
  snprintf(bind, sizeof bind, "sip:%s:5060;transport=udp", address);
  snprintf(phone->own, sizeof phone->own, "sip:%s@%s", getenv("PHONE_USER"), getenv("PHONE_SERVER"));
  snprintf(phone->proxy, sizeof phone->proxy, "sip:%s;transport=udp", getenv("PHONE_SERVER"));
  snprintf(phone->sdp, sizeof phone->sdp,
           "v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n"
           "a=rtpmap:0 PCMU/8000\r\n", address, address);
  su_init();
  phone->root = su_root_create(phone);
  phone->nua = nua_create(phone->root, happen, phone, NUTAG_URL(bind), NUTAG_PROXY(phone->proxy),
                          SIPTAG_FROM_STR(phone->own), NUTAG_AUTOANSWER(0), NUTAG_AUTOALERT(1),
                          NUTAG_ENABLEMESSAGE(1), NUTAG_OUTBOUND("no-validate no-options-keepalive"), TAG_END());
  su_wait_t wait[1];
  su_wait_create(wait, 0, SU_WAIT_IN);
  su_root_register(phone->root, wait, listen_to_input, NULL, 0);
  su_root_run(phone->root);
  return 0;
}
