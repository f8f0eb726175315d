// Signs in with the token of the address's fragment, which no server sees.
"use strict";
{
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  const form = document.getElementById("login");
  if (token && form) {
    history.replaceState(null, "", location.pathname);
    form.elements.token.value = token;
    form.submit();
  }
}
