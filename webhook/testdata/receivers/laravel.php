<?php // routes/api.php: nothing there asks for a CSRF token
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Route;

Route::post('/mail', function (Request $request) {
    // The octets as they came: input() and json() have been trimmed by Laravel's middleware.
    $body = $request->getContent();
    $at = $request->header('webhook-timestamp');
    $key = base64_decode(substr(env('SECRET'), strlen('whsec_'))); // config() in an app
    $good = 'v1,'.base64_encode(hash_hmac('sha256', $request->header('webhook-id').".$at.$body", $key, true));
    $known = array_filter(explode(' ', (string) $request->header('webhook-signature')), fn ($one) => hash_equals($good, $one));
    if (! $known || abs(time() - (int) $at) > 300) {
        return response('', 401);
    }
    $mail = json_decode($body, true);
    logger('mail', [$mail['message']['subject']]); // your code
    return response()->noContent();
});
