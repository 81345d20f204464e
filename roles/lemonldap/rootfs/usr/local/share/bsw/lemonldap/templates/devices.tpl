<TMPL_INCLUDE NAME="header.tpl">

<main id="devices" class="container">

  <TMPL_IF NAME="PROBLEM">
  <div class="alert alert-danger" role="alert"><span trspan="<TMPL_VAR NAME="PROBLEM">"></span></div>
  </TMPL_IF>
  <TMPL_IF NAME="WITHDRAWN">
  <div class="alert alert-success" role="status"><b><TMPL_VAR NAME="WITHDRAWN" ESCAPE=HTML></b>: <span trspan="bswWithdrawn"></span></div>
  </TMPL_IF>
  <TMPL_IF NAME="PASSWORD">
  <div class="alert alert-success" role="status">
    <p><b><TMPL_VAR NAME="DEVICE" ESCAPE=HTML></b>: <span trspan="bswShownOnce"></span></p>
    <dl class="mb-0">
      <dt trspan="bswUserName"></dt><dd><code id="device-user"><TMPL_VAR NAME="UID" ESCAPE=HTML></code></dd>
      <dt trspan="bswPassword"></dt><dd><code id="device-password"><TMPL_VAR NAME="PASSWORD" ESCAPE=HTML></code></dd>
    </dl>
  </div>
  </TMPL_IF>

  <div class="card mb-3">
    <div class="card-body">
      <h1 class="h4" trspan="bswDevices"></h1>
      <p trspan="bswDevicesWhy"></p>
      <TMPL_IF NAME="DEVICES">
      <table class="table">
        <thead>
          <tr><th scope="col" trspan="bswDevice"></th><th scope="col" trspan="bswFor"></th><th scope="col" trspan="bswSince"></th><th scope="col" trspan="bswWithdraw"></th></tr>
        </thead>
        <tbody>
          <TMPL_LOOP NAME="DEVICES">
          <tr>
            <th scope="row"><TMPL_VAR NAME="NAME" ESCAPE=HTML></th>
            <td><TMPL_LOOP NAME="USES"><span trspan="bswUse_<TMPL_VAR NAME="USE">"></span><TMPL_UNLESS NAME="__last__">, </TMPL_UNLESS></TMPL_LOOP></td>
            <td><TMPL_VAR NAME="SINCE"></td>
            <td>
              <form action="/devices" method="post">
                <input type="hidden" name="token" value="<TMPL_VAR NAME="TOKEN">" />
                <input type="hidden" name="withdraw" value="1" />
                <input type="hidden" name="name" value="<TMPL_VAR NAME="NAME" ESCAPE=HTML>" />
                <button type="submit" class="btn btn-danger"><span trspan="bswWithdraw"></span><span class="sr-only">: <TMPL_VAR NAME="NAME" ESCAPE=HTML></span></button>
              </form>
            </td>
          </tr>
          </TMPL_LOOP>
        </tbody>
      </table>
      </TMPL_IF>
    </div>
  </div>

  <div class="card mb-3">
    <div class="card-body">
      <h2 class="h5" trspan="bswNewDevice"></h2>
      <form action="/devices" method="post">
        <input type="hidden" name="token" value="<TMPL_VAR NAME="TOKEN">" />
        <div class="form-group">
          <label for="device-name" trspan="bswDeviceName"></label>
          <input id="device-name" name="name" type="text" class="form-control" required maxlength="60" autocomplete="off" />
        </div>
        <fieldset class="form-group">
          <legend class="h6" trspan="bswFor"></legend>
          <TMPL_LOOP NAME="USES">
          <div class="form-check">
            <input id="for-<TMPL_VAR NAME="USE">" name="for_<TMPL_VAR NAME="USE">" type="checkbox" value="1" class="form-check-input" />
            <label for="for-<TMPL_VAR NAME="USE">" class="form-check-label" trspan="bswUse_<TMPL_VAR NAME="USE">"></label>
          </div>
          </TMPL_LOOP>
        </fieldset>
        <button type="submit" class="btn btn-success" trspan="bswMake"></button>
      </form>
    </div>
  </div>

  <div class="buttons">
    <a href="<TMPL_VAR NAME="PORTAL_URL">" class="btn btn-primary" role="button">
      <span class="fa fa-home"></span>
      <span trspan="goToPortal">Go to portal</span>
    </a>
  </div>
</main>

<TMPL_INCLUDE NAME="footer.tpl">
